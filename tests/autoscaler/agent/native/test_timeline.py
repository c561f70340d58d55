"""For which time a process pays, when its spans of time overlap."""

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.autoscaler.agent.native.metering import MS, library

START_NS = 1_000 * MS
STEP_NS = 125_000
KEPT_NS = 512 * STEP_NS

spans = st.lists(
    st.tuples(st.integers(0, 50 * MS), st.integers(1, 20 * MS), st.floats(0, 1)),
    min_size=1,
    max_size=20,
)


class Timeline(ctypes.Structure):
    """``struct tf_timeline``."""

    _fields_ = [("first_step", ctypes.c_uint64), ("used_ns", ctypes.c_uint32 * 512)]

    def use(self, begin_ns: int, end_ns: int, wanted_ns: int) -> int:
        use = library().tf_timeline_use
        use.restype = ctypes.c_uint64
        use.argtypes = [ctypes.POINTER(Timeline), *[ctypes.c_uint64] * 3]
        used: int = use(self, begin_ns, end_ns, wanted_ns)
        return used


def union_ns(intervals: list[tuple[int, int]]) -> int:
    covered_ns, reached_ns = 0, 0
    for begin_ns, end_ns in sorted(intervals):
        covered_ns += max(0, end_ns - max(begin_ns, reached_ns))
        reached_ns = max(reached_ns, end_ns)
    return covered_ns


@given(spans)
def test_overlapping_spans_pay_for_their_union_and_no_more(drawn):
    timeline, intervals, used_ns = Timeline(), [], 0
    for begin_ns, length_ns, part in drawn:
        begin_ns += START_NS  # noqa: PLW2901
        intervals.append((begin_ns, begin_ns + length_ns))
        used_ns += timeline.use(begin_ns, begin_ns + length_ns, round(part * length_ns))
    # What is taken from a step is rounded down, and each end of the union may be within a step.
    slack_ns = len(drawn) * (2 * STEP_NS + 512)
    assert used_ns <= union_ns(intervals) + slack_ns


@given(spans)
def test_spans_apart_pay_all_they_want(drawn):
    timeline, begin_ns = Timeline(), START_NS
    for gap_ns, length_ns, part in drawn:
        begin_ns += gap_ns
        wanted_ns = round(part * length_ns)
        paid_ns = timeline.use(begin_ns, begin_ns + length_ns, wanted_ns)
        # A step that two spans share knows how much of it is taken, not which part.
        assert paid_ns == pytest.approx(wanted_ns, abs=2)
        begin_ns += length_ns


def test_the_same_full_time_is_paid_once():
    timeline = Timeline()
    paid_ns = [timeline.use(START_NS, START_NS + 3 * MS, 3 * MS) for _ in range(4)]
    assert paid_ns == [3 * MS, 0, 0, 0]


def test_time_that_was_hardly_used_is_paid_by_others_too():
    timeline = Timeline()
    paid_ns = [timeline.use(START_NS, START_NS + 10 * MS, 4 * MS) for _ in range(3)]
    assert paid_ns == pytest.approx([4 * MS, 4 * MS, 2 * MS], abs=200)


def test_what_is_long_ago_is_forgotten_to_the_payers_disadvantage():
    timeline = Timeline()
    timeline.use(START_NS, START_NS + 3 * MS, 3 * MS)
    timeline.use(START_NS + 2 * KEPT_NS, START_NS + 2 * KEPT_NS + MS, MS)
    assert timeline.use(START_NS, START_NS + 3 * MS, 3 * MS) == 3 * MS


def test_a_span_longer_than_all_that_is_kept_pays_for_what_is_not_taken():
    timeline = Timeline()
    end_ns = START_NS + 10 * KEPT_NS
    assert timeline.use(START_NS, end_ns, 10 * KEPT_NS) == 10 * KEPT_NS
    assert timeline.use(end_ns - MS, end_ns, MS) == 0


def test_a_span_of_no_time_pays_nothing():
    assert Timeline().use(START_NS, START_NS, 5) == 0
