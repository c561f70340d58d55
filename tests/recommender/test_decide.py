"""``decide`` as a whole: layers that are due, state across a changing fleet, steps, contracts."""

import numpy as np
import pytest

from recommender.decide import decide
from recommender.decision import UNKNOWN_CODES, Code, Layer
from recommender.errors import ContractError
from recommender.resources import GIB
from recommender.state import NEVER, aligned, empty_state
from tests.builders import policy
from tests.fleets import StatedFleet

USE = {
    "request_target": (20.0, 4 * GIB), "request_lower": 5.0, "request_upper": (30.0, 9 * GIB),
    "burst": (25.0, 4 * GIB), "limit_percentile": (20.0, 4 * GIB), "recent_minutes": 1.0,
}  # fmt: skip


def fleet(rows=1, **columns):
    return StatedFleet(
        *[policy(is_enrolled=True)] * rows,
        demand=[[40.0]] * rows,
        usage=USE,
        request=(10.0, 2 * GIB),
        limit=(30.0, 4 * GIB),
        stated_limit=(30.0, 4 * GIB),
        replicas=[1.0] * rows,
        stated_replicas=[1.0] * rows,
        **columns,
    )


def test_the_layers_are_decided_in_the_order_requests_limits_replicas():
    made = fleet()
    made.decide()
    layers = made.last_decisions.steps.layer
    order = [Layer(layer) for layer in dict.fromkeys(layers)]
    assert order == [Layer.REQUESTS, Layer.LIMITS, Layer.REPLICAS]


KEPT = {
    Layer.REQUESTS: ("raw_request", "target_request", "lower_request", "upper_request",
                     "start_request"),
    Layer.LIMITS: ("raw_limit", "target_limit", "start_limit"),
    Layer.REPLICAS: ("raw_replicas", "target_replicas"),
}  # fmt: skip


@pytest.mark.parametrize("due", [frozenset(), *(frozenset({layer}) for layer in Layer)])
def test_layers_that_are_not_due_keep_the_amounts_of_their_last_tick(due):
    made = fleet()
    first = made.decide(applies=True)
    made.now_s += 3600
    made.demand = [[200.0]]
    later = made.decide(due, request_target=(60.0, 12 * GIB), burst=(70.0, 12 * GIB))
    for layer in Layer:
        for name in KEPT[layer]:
            is_kept = np.array_equal(getattr(later, name), getattr(first, name))
            assert is_kept or layer in due, name
        assert not (later.steps.layer == layer).any() or layer in due
    assert later.due == due


def test_a_layer_that_is_due_decides_anew():
    made = fleet()
    first = made.decide(applies=True)
    made.now_s += 3600
    later = made.decide(frozenset({Layer.REQUESTS}), request_target=(25.0, 4 * GIB))
    assert later.target_request[0, 0] > first.target_request[0, 0]


def test_every_layer_that_never_ticked_says_that_its_decision_is_to_come():
    decisions = fleet().decide(frozenset())
    for unknown in (
        decisions.unknown_request,
        decisions.unknown_limit,
        decisions.unknown_replicas,
    ):
        assert (unknown == Code.NotDecidedYet.number).all()
    assert Code.NotDecidedYet in UNKNOWN_CODES


def test_a_change_of_one_gpu_model_is_a_change_of_its_row():
    made = fleet(2, gpu_model=["A10", "H100"], replica_row=np.array([0, 0]))
    made.usage["request_target"] = np.array([[12.0, GIB], [18.0, GIB]])
    decisions = made.decide()
    assert decisions.next_request[:, 0] == pytest.approx([13.8, 20.0])


def test_a_state_of_another_fleet_is_refused():
    made = fleet()
    with pytest.raises(ContractError, match=r"state of \(2, 2\), observation of \(1, 2\)"):
        decide(
            made.observe(),
            made.table,
            empty_state(np.array(["a", "b"]), 2),
            made.now_s,
            frozenset(),
        )


def carried(previous_row, uids):
    made = fleet(3)
    made.decide(applies=True)
    made.now_s += 15
    made.decide(applies=True)
    return made.state, aligned(made.state, np.array(previous_row), np.array(uids))


def test_state_follows_its_workload_when_rows_move():
    before, after = carried([2, 0, 1], ["uid-2", "uid-0", "uid-1"])
    before.target_request[:, 0] = [1.0, 2.0, 3.0]
    again = aligned(before, np.array([2, 0, 1]), np.array(["uid-2", "uid-0", "uid-1"]))
    assert again.target_request[:, 0].tolist() == [3.0, 1.0, 2.0]
    assert after.wish_s.shape == before.wish_s.shape
    assert (after.request_change_s[..., 0] > NEVER).any()


def test_a_new_workload_and_one_created_anew_under_its_name_start_without_state():
    _, after = carried([0, 1, -1], ["uid-0", "another", "new"])
    fresh = empty_state(after.uid, 2)
    for row in (1, 2):
        assert np.array_equal(after.target_request[row], fresh.target_request[row], equal_nan=True)
        assert (after.request_change_s[row] == NEVER).all()
        assert (after.wish_s[row] == NEVER).all()
    assert (after.request_change_s[0] > NEVER).any()


def test_windows_that_grew_keep_their_size_when_the_fleet_changes():
    made = fleet(2)
    for i in range(30):
        made.demand = [[21.0 * (i % 10 + 1)]] * 2
        made.decide()
        made.now_s += 5
    width = made.state.wish_s.shape[1]
    after = aligned(made.state, np.array([1, -1, 0]), np.array(["uid-1", "new", "uid-0"]))
    assert width > empty_state(after.uid, 2).wish_s.shape[1]
    assert after.wish_s.shape == (3, width)
    assert np.array_equal(after.wish[2], made.state.wish[0], equal_nan=True)


def test_steps_that_clamp_differ_before_and_after():
    made = fleet(card=(12.0, 80 * GIB), quota=(11.0, np.nan))
    made.decide()
    steps = made.last_decisions.steps
    told = ~np.isnan(steps.before)
    stated = {Code.ReplicaDemand.number, Code.WithinTolerance.number, Code.MissingMetrics.number,
              Code.UnreadyWorkers.number}  # fmt: skip
    clamps = told & ~np.isin(steps.code, list(stated))
    assert clamps.any()
    assert (steps.before[clamps] != steps.after[clamps]).all()
