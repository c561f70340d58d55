import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.accounting.unaccounted import unaccounted_bytes, unaccounted_share
from tests.autoscaler.agent.accounting.looks import GIB, look, process

OWNERS = {1001: "a", 1002: "b"}


def _alone(busy_percent):
    return look(
        process(1001, busy_percent), owners={1001: "a"}, metered=[1001], busy_percent=busy_percent
    )


def test_alone_what_the_driver_sees_beyond_the_charge_is_beside_the_limiter():
    assert unaccounted_share(_alone(90.0), "a", {"a": 0.2}) == pytest.approx(0.7)


@given(charged=st.floats(0.0, 1.0), bias=st.floats(0.9, 1.1))
def test_a_figure_that_is_a_little_off_is_no_work_beside_the_limiter(charged, bias):
    seen = _alone(min(100.0 * charged * bias, 100.0))

    assert unaccounted_share(seen, "a", {"a": charged}) == 0.0


def test_metered_neighbours_that_all_read_as_busy_have_nothing_beside():
    seen = look(
        process(1001, 99.0),
        process(1002, 99.0),
        owners=OWNERS,
        metered=[1001, 1002],
        busy_percent=100.0,
    )

    assert [unaccounted_share(seen, uid, {"a": 0.2, "b": 0.2}) for uid in "ab"] == [0.0, 0.0]


def test_beside_neighbours_a_process_without_the_limiter_has_at_most_what_nobody_was_charged():
    seen = look(
        process(1001, 99.0),
        process(1002, 99.0),
        owners=OWNERS,
        metered=[1001],
        busy_percent=100.0,
    )

    assert unaccounted_share(seen, "b", {"a": 0.3, "b": 0.0}) == pytest.approx(0.7)
    assert unaccounted_share(seen, "a", {"a": 0.3, "b": 0.0}) == 0.0


def test_memory_beside_the_slots_is_what_the_driver_counts_more():
    seen = look(process(1001, memory_bytes=3 * GIB), owners=OWNERS, metered=[1001])
    untold = look(process(1001, memory_bytes=None), owners=OWNERS)

    assert [unaccounted_bytes(seen, "a", held) for held in (GIB, 4 * GIB)] == [2 * GIB, 0]
    assert unaccounted_bytes(untold, "a", GIB) == 0
