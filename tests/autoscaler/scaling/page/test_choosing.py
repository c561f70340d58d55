from dataclasses import replace
from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.page.choosing import chosen_rows
from tests.autoscaler.scaling.builders import view
from tests.autoscaler.scaling.page.boards import watched


@cache
def decided():
    """Return observation and decisions of one tick of eight workloads."""
    with watched(*(view(f"chat{i}") for i in range(8))) as seen:
        tick = seen.tick()
        return tick.observed.observation, tick.decisions


def with_targets(*targets):
    """Return the same with these target requests; in force are 40 TFLOPS."""
    observation, decisions = decided()
    request = decisions.target_request.copy()
    request[:, 0] = targets
    nothing = np.full_like(request, np.nan)
    return observation, replace(decisions, target_request=request, target_limit=nothing)


def test_of_a_small_fleet_all_rows_are_chosen():
    assert chosen_rows(*decided(), most=8).tolist() == list(range(8))


def test_what_lacks_something_is_chosen_before_what_has_too_much():
    fleet = with_targets(40, 1, 44, 40, 400, 20, 40, np.nan)

    assert chosen_rows(*fleet, most=2).tolist() == [2, 4]
    assert chosen_rows(*fleet, most=3).tolist() == [1, 2, 4]
    assert chosen_rows(*fleet, most=4).tolist() == [1, 2, 4, 5]


def test_what_is_asked_for_is_always_chosen():
    fleet = with_targets(40, 1, 44, 40, 400, 20, 40, np.nan)

    assert chosen_rows(*fleet, [7], most=2).tolist() == [4, 7]


@given(
    group=st.lists(st.integers(0, 7), min_size=8, max_size=8),
    wanted=st.sets(st.integers(0, 7), max_size=2),
    most=st.integers(2, 8),
)
def test_rows_of_a_workload_stay_together(group, wanted, most):
    first = np.array([group.index(name) for name in group])
    fleet, decisions = decided()
    observation = replace(fleet, workloads=replace(fleet.workloads, replica_row=first))

    rows = chosen_rows(observation, decisions, wanted, most=most)

    assert sorted(set(rows.tolist())) == rows.tolist()
    chosen = set(first[rows].tolist())
    assert rows.tolist() == [row for row in range(8) if first[row] in chosen]
    assert wanted <= set(rows.tolist())
    asked = sum(first[row] in set(first[list(wanted)].tolist()) for row in range(8))
    assert min(most, 8) <= len(rows) < most + max(np.bincount(first)) + asked
