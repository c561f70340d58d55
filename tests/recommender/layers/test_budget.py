"""The fleet's change budget: 10 % of the workers per 10 minutes, at least 5."""

import numpy as np
import pytest

from recommender.decision import Code, Layer
from recommender.policy.model import Buffer
from recommender.state import NEVER
from tests.builders import policy
from tests.fleets import StatedFleet

WINDOW_S = 600


def fleet(raws, requests, *, workers=1, limit=1e6, usage=None):
    """One enrolled workload per raw request, all with a limit far away."""
    rows = len(raws)
    counts = np.broadcast_to(workers, rows)
    enrolled = policy(is_enrolled=True, buffer=Buffer(1.0))
    return StatedFleet(
        *[enrolled] * rows,
        demand=[[np.nan] * count for count in counts],
        usage={"request_target": np.stack([raws, np.full(rows, np.nan)], axis=1), **(usage or {})},
        request=np.stack([requests, np.full(rows, np.nan)], axis=1),
        limit=(limit, np.nan),
    )


def changed(made):
    before = made.workloads.request[:, 0].copy()
    made.decide(applies=True)
    return np.flatnonzero(made.workloads.request[:, 0] != before).tolist()


@pytest.mark.parametrize(("rows", "workers", "expected"), [(20, 1, 5), (100, 1, 10), (100, 4, 10)])
def test_a_tenth_of_the_workers_and_at_least_five_may_change(rows, workers, expected):
    made = fleet(np.full(rows, 12.0), np.full(rows, 10.0), workers=workers)
    assert len(changed(made)) == expected
    assert Code.BudgetExhausted in made.steps(Layer.REQUESTS, row=rows - 1)
    made.now_s += WINDOW_S - 1
    assert changed(made) == []


def test_every_workload_gets_its_turn():
    made = fleet(np.full(30, 12.0), np.full(30, 10.0))
    seen = []
    for _ in range(6):
        seen += changed(made)
        made.now_s += WINDOW_S
    assert sorted(seen) == list(range(30))


def test_workloads_whose_changes_nobody_makes_do_not_keep_others_from_theirs():
    made = fleet(np.full(30, 12.0), np.full(30, 10.0))
    seen = set()
    for _ in range(12):
        rows = changed(made)
        seen |= set(rows)
        # of the first twenty nothing comes into force, and nothing is charged
        requests = np.where(np.arange(30) < 20, 10.0, made.workloads.request[:, 0])
        made.set(request=np.stack([requests, np.full(30, np.nan)], axis=1))
        made.state.budget_s[:20] = NEVER
        made.now_s += WINDOW_S
    assert seen == set(range(30))


def test_a_workload_larger_than_the_budget_can_change():
    made = fleet(np.full(3, 12.0), np.full(3, 10.0), workers=[1, 100, 1])
    seen = changed(made)
    for _ in range(4):
        made.now_s += WINDOW_S
        seen += changed(made)
    assert sorted(seen) == [0, 1, 2]


def test_raises_go_first():
    raws = np.where(np.arange(40) % 2, 12.0, 8.0)
    made = fleet(raws, np.full(40, 10.0))
    assert sum(raws[row] > 10.0 for row in changed(made)) == 4


def test_decreases_get_through_while_others_rise_all_the_time():
    rows = 40
    raws = np.where(np.arange(rows) < 30, 12.0, 8.0)
    made = fleet(raws, np.full(rows, 10.0))
    lowered = set()
    for _ in range(10):
        lowered |= {row for row in changed(made) if row >= 30}
        # what was raised falls back by other hands, and asks again
        requests = np.where(np.arange(rows) < 30, 10.0, made.workloads.request[:, 0])
        made.set(request=np.stack([requests, np.full(rows, np.nan)], axis=1))
        made.now_s += WINDOW_S
    assert lowered == set(range(30, rows))


def test_a_large_raise_leaves_decreases_their_part():
    raws = np.array([12.0, *[8.0] * 19])
    assert len(changed(fleet(raws, np.full(20, 10.0), workers=[100, *[1] * 19]))) == 1 + 2


def test_names_and_not_the_order_of_rows_decide_between_equals():
    names = np.array([f"uid-{i:02}" for i in range(20)])
    chosen = []
    for order in (slice(None), slice(None, None, -1)):
        made = fleet(np.full(20, 12.0), np.full(20, 10.0))
        made.set(uid=names[order])
        chosen.append(sorted(names[order][changed(made)]))
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 5


def test_raises_get_through_while_decreases_wait_and_room_comes_bit_by_bit():
    rows = 60
    raws = np.where(np.arange(rows) < 30, 12.0, 8.0)
    made = fleet(raws, np.full(rows, 10.0))
    made.state.budget_s[30:36] = made.now_s - np.arange(6) * 100
    made.state.granted_s[30:36] = made.state.budget_s[30:36]
    raised = set()
    for _ in range(60):
        raised |= {row for row in changed(made) if row < 30}
        made.now_s += 100
    assert raised == set(range(30))


def test_a_charged_workload_is_free_for_the_rest_of_its_window():
    made = fleet(np.full(20, 40.0), np.full(20, 10.0))
    first = changed(made)
    made.now_s += WINDOW_S - 1
    made.state.request_change_s[:] -= 3600
    assert changed(made) == first


def test_raises_after_saturation_are_exempt_and_charge_nothing():
    rows = 50
    made = StatedFleet(
        *[policy(is_enrolled=True)] * rows,
        usage={"is_saturated": (True, False), "burst": 10.0, "limit_percentile": 1.0},
        request=(1.0, np.nan),
        limit=(10.0, np.nan),
    )
    decisions = made.decide()
    assert decisions.next_limit[:, 0].tolist() == [15.0] * rows
    assert (made.state.budget_s < 0).all()


def test_an_urgent_raise_does_not_carry_other_changes_of_its_workload_along():
    rows = 50
    made = StatedFleet(
        *[policy(is_enrolled=True, buffer=Buffer(1.0))] * rows,
        usage={
            "request_target": (5.0, np.nan), "is_saturated": (True, False),
            "burst": 10.0, "limit_percentile": 1.0,
        },
        request=(10.0, np.nan),
        limit=(10.0, np.nan),
    )  # fmt: skip
    decisions = made.decide()
    assert (decisions.next_limit[:, 0] == 15.0).all()
    assert (decisions.next_request[:, 0] < 10.0).sum() == 5


def test_what_is_held_back_is_held_back_for_starting_workers_too():
    made = fleet(np.full(20, 12.0), np.full(20, 10.0))
    decisions = made.decide()
    assert np.array_equal(decisions.start_request[:, 0], decisions.next_request[:, 0])


def test_a_first_amount_also_waits_for_the_budget():
    made = fleet(np.full(20, 12.0), np.full(20, np.nan))
    decisions = made.decide()
    assert (~np.isnan(decisions.next_request[:, 0])).sum() == 5


def test_more_replicas_need_no_budget_and_fewer_do():
    enrolled = policy(is_enrolled=True, scale_down_cooldown_s=0)
    rows = 40
    made = StatedFleet(
        *[enrolled] * rows,
        demand=[[10.0]] * rows,
        replicas=np.full(rows, 1.0),
        stated_replicas=np.full(rows, 1.0),
        stated_limit=(10.0, np.nan),
    )
    assert (made.decide(applies=True).next_replicas == 2.0).all()
    made.now_s += WINDOW_S
    made.demand = [[1.0, 1.0]] * rows
    made.is_ready = [[True, True]] * rows
    # 8 of 80 workers, two of each workload
    assert (made.decide(applies=True).next_replicas == 1.0).sum() == 4
