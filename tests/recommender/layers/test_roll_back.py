"""Watched decreases: trouble takes them back, and stops decreases for a day."""

import numpy as np
import pytest

from recommender.decision import Code, Layer
from recommender.policy.model import Buffer
from recommender.resources import GIB, MIB
from recommender.state import NEVER, empty_state
from tests.builders import policy
from tests.fleets import StatedFleet

HOUR_S = 3600
DAY_S = 86400
LIMITS = frozenset({Layer.LIMITS})
REQUESTS = frozenset({Layer.REQUESTS})


def lowered_fleet(**columns):
    """Return a workload whose request just went from 10 to 8, its limit from 20 to 16."""
    made = StatedFleet(
        policy(is_enrolled=True, buffer=Buffer(1.0)),
        usage={
            "request_target": (2.0, np.nan),
            "burst": (2.0, np.nan),
            "limit_percentile": 2.0,
            "recent_minutes": (1.0, np.nan),
        },
        request=(10.0, np.nan),
        limit=(20.0, np.nan),
        **columns,
    )
    made.decide(applies=True)
    assert (made.workloads.request[0, 0], made.workloads.limit[0, 0]) == (8.0, 16.0)
    return made


TROUBLE = {"saturated_minutes": (3.0, 0.0), "saturated_share_day": (0.01, 0.0)}


def test_saturated_minutes_after_a_decrease_take_it_back():
    made = lowered_fleet()
    made.now_s += 600
    decisions = made.decide(applies=True, **TROUBLE)
    assert (decisions.next_request[0, 0], decisions.next_limit[0, 0]) == (10.0, 20.0)
    assert (decisions.start_request[0, 0], decisions.start_limit[0, 0]) == (10.0, 20.0)
    assert decisions.is_urgent[0].tolist() == [True, False]
    assert made.steps(Layer.REQUESTS)[Code.RolledBack] == (8.0, 10.0)
    assert made.steps(Layer.LIMITS)[Code.RolledBack] == (16.0, 20.0)


@pytest.mark.parametrize(
    ("minutes", "share_day", "after_s", "is_trouble"),
    [
        (3.0, 0.15, 600, True),  # 3 of 10 minutes, twice the day's share
        (3.0, 0.151, 600, False),
        (2.0, 0.0, 600, False),
        (3.0, 0.0, 1800, True),
        (3.0, 0.0, 1801, False),
    ],
)
def test_trouble_is_three_minutes_within_half_an_hour_and_twice_the_day(
    minutes, share_day, after_s, is_trouble
):
    made = lowered_fleet()
    made.now_s += after_s
    decisions = made.decide(saturated_minutes=(minutes, 0.0), saturated_share_day=(share_day, 0.0))
    assert (decisions.next_request[0, 0] == 10.0) == is_trouble


def test_after_a_roll_back_nothing_is_lowered_for_24_hours():
    made = lowered_fleet()
    made.now_s += 600
    made.decide(applies=True, **TROUBLE)
    made.usage |= {"saturated_minutes": 0.0}
    rolled_back_s = made.now_s
    for hour in (1, 12, 23):
        made.now_s = rolled_back_s + hour * HOUR_S
        made.decide(applies=True)
        assert (made.workloads.request[0, 0], made.workloads.limit[0, 0]) == (10.0, 20.0)
    assert Code.NoDecreaseAfterRollBack in made.steps(Layer.REQUESTS)
    assert Code.NoDecreaseAfterRollBack in made.steps(Layer.LIMITS)
    made.now_s = rolled_back_s + DAY_S
    made.decide(applies=True)
    assert (made.workloads.request[0, 0], made.workloads.limit[0, 0]) == (8.0, 16.0)


def test_a_layer_that_is_not_due_takes_its_decrease_back_when_it_is():
    made = lowered_fleet()
    made.now_s += 1500
    decisions = made.decide(LIMITS, applies=True, **TROUBLE)
    assert (decisions.next_request[0, 0], decisions.next_limit[0, 0]) == (8.0, 20.0)
    made.usage |= {"saturated_minutes": 0.0}
    made.now_s += 600  # the watch of the request is over, the trouble was within it
    assert made.decide(REQUESTS, applies=True).next_request[0, 0] == 10.0
    made.now_s += 15
    made.decide(LIMITS)
    made.set(request=(5.0, np.nan))  # by its owner
    assert made.decide(REQUESTS).next_request[0, 0] == 5.0


def test_trouble_after_a_later_decrease_does_not_take_an_old_one_back():
    made = lowered_fleet()
    made.now_s += 5 * HOUR_S
    made.decide(LIMITS, applies=True)
    assert made.workloads.limit[0, 0] == 12.8
    made.now_s += 600
    decisions = made.decide(applies=True, **TROUBLE)
    assert (decisions.next_request[0, 0], decisions.next_limit[0, 0]) == (8.0, 16.0)


def test_a_chain_of_decreases_goes_back_to_its_beginning():
    made = lowered_fleet()
    for _ in range(3):
        made.now_s += 60
        made.decide(LIMITS, applies=True)
    assert made.workloads.limit[0, 0] == pytest.approx(20.0 * 0.8**4)
    made.now_s += 60
    assert made.decide(LIMITS, **TROUBLE).next_limit[0, 0] == 20.0


def test_a_decrease_that_was_not_applied_is_not_taken_back():
    made = lowered_fleet()
    made.set(request=(10.0, np.nan), limit=(20.0, np.nan))
    made.now_s += 60
    decisions = made.decide(**TROUBLE)
    assert not decisions.is_urgent.any()
    assert (made.state.no_decrease_until_s <= made.now_s).all()


@pytest.mark.parametrize(("after_s", "is_watched"), [(30, True), (31, False)])
def test_a_decrease_that_comes_into_force_a_moment_later_is_watched(after_s, is_watched):
    made = lowered_fleet()
    made.set(request=(10.0, np.nan), limit=(20.0, np.nan))
    made.now_s += after_s
    made.decide(frozenset())
    made.set(request=(8.0, np.nan), limit=(16.0, np.nan))
    made.now_s += 600
    assert (made.decide(**TROUBLE).next_request[0, 0] == 10.0) == is_watched


def test_a_denial_after_workers_started_with_less_vram_brings_it_back():
    made = StatedFleet(
        policy(is_enrolled=True),
        usage={"request_target": (np.nan, 2 * GIB), "burst": (np.nan, 2 * GIB)},
        request=(np.nan, 16 * GIB),
        limit=(np.nan, 16 * GIB),
    )
    started = made.decide().start_request[0, 1]
    started = np.ceil(started / MIB) * MIB
    made.set(request=(np.nan, started))
    made.now_s += 600
    made.decide(applies=True)
    made.now_s += 600
    decisions = made.decide(denials=(0.0, 1.0))
    assert decisions.next_request[0, 1] == decisions.start_request[0, 1] == 16 * GIB
    assert decisions.is_urgent[0, 1]


def test_a_roll_back_stays_inside_max_allowed_and_below_a_fixed_limit():
    made = lowered_fleet()
    made.now_s += 600
    made.table.requests.max_allowed[:] = 9.0
    made.table.limits.max_allowed[:] = 18.0
    decisions = made.decide(**TROUBLE)
    assert (decisions.next_request[0, 0], decisions.next_limit[0, 0]) == (9.0, 18.0)
    made = lowered_fleet()
    made.now_s += 600
    made.table.limits.acts[:] = False
    made.set(limit=(8.5, np.nan))
    assert made.decide(**TROUBLE).next_request[0, 0] == 8.5


def test_a_paused_workload_is_not_rolled_back():
    made = lowered_fleet()
    made.now_s += 600
    made.set(is_paused=np.array([True]))
    decisions = made.decide(**TROUBLE)
    assert (decisions.next_request[0, 0], decisions.next_limit[0, 0]) == (8.0, 16.0)


def test_trouble_without_a_decrease_is_no_roll_back():
    made = lowered_fleet()
    made.state = empty_state(made.workloads.uid, 2)
    made.now_s += 600
    assert not made.decide(denials=(0.0, 1.0), **TROUBLE).is_urgent.any()
    assert (made.state.no_decrease_until_s == NEVER).all()
