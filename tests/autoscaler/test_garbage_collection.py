import gc
import sys
import threading

import pytest

from autoscaler.garbage_collection import collection_paused


@pytest.fixture(autouse=True)
def as_it_was():
    """Leave the collector, and how threads take turns, as they were."""
    before, interval_s = gc.isenabled(), sys.getswitchinterval()
    yield
    gc.enable() if before else gc.disable()
    sys.setswitchinterval(interval_s)


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_collector_is_off_meanwhile_and_then_as_it_was(is_enabled):
    gc.enable() if is_enabled else gc.disable()

    with collection_paused():
        assert not gc.isenabled()
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()

    assert gc.isenabled() == is_enabled


def test_what_is_raised_ends_the_pause():
    gc.enable()

    with pytest.raises(ValueError, match="no JSON"), collection_paused():
        raise ValueError("no JSON")

    assert gc.isenabled()


def test_pauses_of_many_threads_do_not_leave_the_collector_off():
    gc.enable()
    sys.setswitchinterval(1e-6)

    def pause():
        for _ in range(5000):
            with collection_paused():
                pass

    threads = [threading.Thread(target=pause) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert gc.isenabled()
