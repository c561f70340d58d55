import asyncio
import gc

import pytest

from autoscaler.webhook.long_lived import set_apart_once_filled


@pytest.fixture
def held():
    """Hold as many objects as a cache does; none is set apart when the test begins and ends."""
    gc.unfreeze()
    yield [{"metadata": {"name": f"workload-{number}"}} for number in range(10_000)]
    gc.unfreeze()


def test_what_filled_caches_hold_is_set_apart(held):
    asyncio.run(set_apart_once_filled(lambda: ()))
    assert gc.get_freeze_count() >= len(held)


def test_nothing_is_set_apart_before_the_caches_are_filled(held):
    answers = [("workloads are not listed yet",), ("workloads are not listed yet",), ()]
    set_apart = []

    def problems():
        set_apart.append(gc.get_freeze_count())
        return answers.pop(0)

    asyncio.run(set_apart_once_filled(problems))
    assert set_apart == [0, 0, 0]
    assert gc.get_freeze_count() >= len(held)
