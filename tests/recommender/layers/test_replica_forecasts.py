"""A forecast in layer 2: workers that will be needed once they are up, and never fewer."""

import numpy as np
import pytest

from recommender.decision import Code, Layer
from recommender.forecast.gate import Gate
from recommender.layers.forecasts import CODE_OF_GATE
from tests.builders import policy
from tests.fleets import StatedFleet

LAYER = Layer.REPLICAS
PREDICTS = {"autoSetReplicas": {"enable": True, "prediction": {"enable": True}}}


def fleet(demand_tflops, *, config=PREDICTS, replicas=4, each_tflops=7.0, **foreseen):
    """Workers with a stated limit of 10, of which 7 are the target."""
    return StatedFleet(
        policy(config),
        demand=[[each_tflops] * replicas],
        foreseen={"replica_demand": demand_tflops, **foreseen},
        stated_limit=(10.0, np.nan),
        replicas=[replicas],
        stated_replicas=[replicas],
    )


def target(made):
    return float(made.decide().target_replicas[0])


@pytest.mark.parametrize(("demand_tflops", "replicas"), [(42.0, 6), (42.1, 7), (28.0, 4)])
def test_as_many_workers_as_the_forecast_demand_takes(demand_tflops, replicas):
    assert target(fleet(demand_tflops)) == replicas


@pytest.mark.parametrize(("demand_tflops", "replicas"), [(30.8, 4), (30.9, 5)])
def test_it_adds_no_worker_within_the_tolerance(demand_tflops, replicas):
    assert target(fleet(demand_tflops)) == replicas


def test_a_step_says_how_far_the_forecast_demand_is_above_the_target():
    made = fleet(42.0)
    made.decide()
    [step] = [
        step for step in made.last_decisions.steps.of(0, LAYER) if step.code is Code.ReplicaForecast
    ]
    assert (step.before, step.after, step.arg) == pytest.approx((4.0, 6.0, 1.5))


def test_a_forecast_removes_no_worker():
    assert target(fleet(7.0)) == 4.0


def test_a_forecast_keeps_workers_that_the_demand_of_now_does_not_need():
    assert target(fleet(21.0, each_tflops=1.0)) == 3.0


@pytest.mark.parametrize(("gate", "code"), list(CODE_OF_GATE.items()))
def test_behind_a_closed_gate_it_counts_for_nothing_and_a_step_says_why(gate, code):
    made = fleet(42.0, replica_gate=int(gate))
    assert target(made) == 4.0
    assert code in made.steps(LAYER, -1)


def test_what_nobody_asks_for_changes_nothing():
    assert target(fleet(42.0, config={"autoSetReplicas": {"enable": True}})) == 4.0


def test_it_stays_below_max_replicas():
    config = {"autoSetReplicas": {**PREDICTS["autoSetReplicas"], "maxReplicas": 5}}
    assert target(fleet(420.0, config=config)) == 5.0


def test_it_grows_at_the_rate_of_any_growth():
    made = fleet(280.0)
    assert made.decide().next_replicas[0] == 8.0
    assert Code.ScaleUpRate in made.steps(LAYER, -1)


def test_without_a_fresh_demand_a_forecast_adds_no_worker():
    made = fleet(42.0, each_tflops=np.nan)
    assert np.isnan(target(made))


def test_a_count_that_its_owner_scaled_to_zero_stays():
    made = fleet(42.0, replicas=0)
    assert made.decide().next_replicas[0] == 0.0


def test_a_gate_may_be_open_for_replicas_and_closed_for_limits():
    assert target(fleet(42.0, limit_gate=int(Gate.YOUNG))) == 6.0
