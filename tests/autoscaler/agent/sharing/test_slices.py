import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autoscaler.agent.sharing.slices import (
    CROWDED_SHARE,
    SLICE_S,
    SWITCH_S,
    Neighbour,
    mean_missed_s,
    part_of_wall_time,
    share_beside,
)

US, MS = 1e-6, 1e-3
PHASES = 400

neighbours = st.lists(
    st.builds(
        Neighbour,
        share=st.floats(0.002, 1.0),
        launch_s=st.sampled_from([5 * US, 300 * US, 1.4 * MS, 2.1 * MS, 11 * MS]),
        processes=st.floats(1.0, 5.0),
    ),
    max_size=6,
)


def of(share, launch_s=20 * US, processes=1.0):
    return Neighbour(share=share, launch_s=launch_s, processes=processes)


def wall_time_s(neighbour, kernel_s, begin_s):
    """Return how long a kernel takes beside a neighbour whose first launch began at 0.

    The neighbour launches once in a period, or as soon as the launch before has ended; while both
    are there, each gets half of what changes leave of the card.
    """
    speed = CROWDED_SHARE / 2
    period_s = neighbour.launch_s / neighbour.share
    now_s, launches = begin_s, 1
    work_s = max(neighbour.launch_s - begin_s, 0.0)
    while kernel_s > 1e-12:
        if work_s > 0:
            step_s = min(work_s, kernel_s) / speed
            work_s, kernel_s = work_s - step_s * speed, kernel_s - step_s * speed
        else:
            step_s = min(max(launches * period_s - now_s, 0.0), kernel_s)
            kernel_s -= step_s
        now_s += step_s
        if work_s <= 1e-12 and now_s >= launches * period_s - 1e-12:
            work_s, launches = neighbour.launch_s, launches + 1
    return now_s - begin_s


def mean_wall_time_s(neighbour, kernel_s):
    period_s = neighbour.launch_s / neighbour.share
    begins = [period_s * phase / PHASES for phase in range(PHASES)]
    return sum(wall_time_s(neighbour, kernel_s, begin_s) for begin_s in begins) / PHASES


def test_a_card_without_neighbours_is_left_whole():
    assert share_beside([]) == pytest.approx(1.0)


def test_two_that_always_have_work_get_46_percent_each():
    assert share_beside([of(1.0)]) == pytest.approx(0.4636, abs=1e-4)


def test_a_neighbour_of_short_launches_costs_two_changes_in_each_slice():
    left = share_beside([of(0.4)])

    assert left == pytest.approx(0.6 / (1 + 2 * SWITCH_S / SLICE_S))


def test_each_further_process_of_a_neighbour_costs_one_change_more():
    left = share_beside([of(0.4, processes=4)])

    assert left == pytest.approx(0.6 / (1 + 5 * SWITCH_S / SLICE_S))


def test_a_neighbour_that_launches_rarely_is_changed_to_as_rarely():
    left = share_beside([of(0.02, launch_s=2 * MS)])

    assert left == pytest.approx(1 - 0.02 - 2 * SWITCH_S * 0.02 / (2 * MS))


@given(neighbours)
def test_shares_and_changes_are_the_whole_card(others):
    left = share_beside(others)

    taken = [(each.processes, min(each.share / each.processes, left)) for each in others]
    used = sum(processes * share for processes, share in taken)
    visits_per_s = sum(
        each.processes * min(left / SLICE_S, each.share / each.processes / each.launch_s)
        if each.launch_s <= SLICE_S
        else each.processes * min(left, each.share / each.processes) / SLICE_S
        for each in others
    )
    switches_per_s = visits_per_s + min(visits_per_s, left / SLICE_S)
    assert left + used + SWITCH_S * switches_per_s == pytest.approx(1.0, abs=1e-3)


@given(neighbours, st.integers(0, 5), st.floats(1.0, 3.0))
def test_who_uses_more_leaves_less(others, number, factor):
    assume(number < len(others))
    more = list(others)
    more[number] = others[number]._replace(share=others[number].share * factor)

    assert share_beside(more) <= share_beside(others) + 1e-3


def test_neighbours_of_short_launches_miss_nothing():
    assert mean_missed_s([of(0.4), of(0.2, launch_s=1.4 * MS)], 0.3) == 0.0


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
def test_what_a_kernel_gets_beside_long_launches_is_the_mean_over_when_it_began(share):
    other, kernel_s = of(share, launch_s=11 * MS), 60 * MS
    beside = share_beside([other])

    part = part_of_wall_time(kernel_s, beside, mean_missed_s([other], beside))

    assert part == pytest.approx(kernel_s / mean_wall_time_s(other, kernel_s), rel=0.02)


def test_a_kernel_that_runs_mostly_in_pauses_tells_nothing():
    assert part_of_wall_time(3 * MS, 0.5, 1.4 * MS) is not None
    assert part_of_wall_time(3 * MS, 0.5, 1.6 * MS) is None
