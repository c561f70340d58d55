from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.workloads.pace import Pace


class Steady:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@given(st.lists(st.integers(0, 20), max_size=40))
def test_each_object_is_done_once_in_a_while_and_is_told_when_it_may_be(quarters):
    steady = Steady()
    pace = Pace(1.0, monotonic_s=steady)
    done_s = []
    for quarter in quarters:
        steady.now_s += quarter / 4
        left_s = pace.left_s("team", "a")
        if left_s == 0:
            done_s.append(steady.now_s)
        else:
            assert 0 < left_s <= 1.0

    assert all(later - earlier >= 1.0 for earlier, later in pairwise(done_s))
    assert len(done_s) >= min(len(quarters), 1)


def test_objects_do_not_wait_for_one_another_and_are_forgotten():
    pace = Pace(1.0, monotonic_s=lambda: 0.0)

    assert (pace.left_s("", "a"), pace.left_s("", "b"), pace.left_s("", "a")) == (0.0, 0.0, 1.0)
    pace.forget("", "a")
    assert pace.left_s("", "a") == 0.0
