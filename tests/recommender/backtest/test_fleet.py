import numpy as np
import pytest

from recommender.backtest.fleet import WORKLOADS_PER_PART, run_backtest
from recommender.backtest.plan import ReplayPlan
from recommender.decision import Layer
from recommender.errors import ContractError, InvalidValueError
from recommender.resources import GIB, TFLOPS, VRAM
from tests.builders import policy
from tests.recommender.backtest.dask_cluster import dask_cluster
from tests.recommender.backtest.frames import daily, frame_of

PLAN = ReplayPlan(steps_s={Layer.REQUESTS: 3600, Layer.LIMITS: 1800})
ROWS = WORKLOADS_PER_PART + 6


@pytest.fixture(scope="module")
def fleet():
    use = daily(1, 12, step_s=300) * np.linspace(0.5, 4.0, ROWS)[:, None]
    return frame_of(np.stack([use, use * GIB / 10]), resources=(TFLOPS, VRAM), step_s=300)


@pytest.fixture(scope="module")
def policies():
    return [policy()] * ROWS


@pytest.fixture(scope="module")
def here(fleet, policies):
    return run_backtest(fleet, policies, PLAN)


def assert_same(one, other):
    for layer in PLAN.steps_s:
        left, right = one.layers[layer].scores, other.layers[layer].scores
        np.testing.assert_array_equal(left.slack, right.slack)
        np.testing.assert_array_equal(left.violated_share, right.violated_share)
        np.testing.assert_array_equal(left.changes_per_day, right.changes_per_day)


def test_every_workload_has_a_score_in_the_order_of_the_frame(fleet, policies, here):
    assert here.workloads == fleet.workloads
    assert here.layers[Layer.LIMITS].scores.slack.shape == (ROWS, 2)
    last = run_backtest(fleet.of_workloads([ROWS - 1]), policies[:1], PLAN)
    np.testing.assert_array_equal(
        here.layers[Layer.LIMITS].scores.slack[-1], last.layers[Layer.LIMITS].scores.slack[0]
    )


def test_local_processes_give_the_same_scores(fleet, policies, here):
    assert_same(run_backtest(fleet, policies, PLAN, jobs=2), here)


def test_a_dask_cluster_gives_the_same_scores(fleet, policies, here):
    shares = []
    with dask_cluster() as address:
        there = run_backtest(
            fleet, policies, PLAN, engine=f"dask://{address}", progress=shares.append
        )
    assert_same(there, here)
    assert shares == [0.5, 1.0]


def test_the_fleets_scores_weigh_every_judged_step_the_same(here):
    of_layer = here.layers[Layer.REQUESTS].tally
    pooled = of_layer.violated[:, 0].sum() / of_layer.judged[:, 0].sum()
    assert here.fleet(Layer.REQUESTS).violated_share[0] == pytest.approx(pooled)


def test_denied_minutes_are_those_of_vram(here):
    minutes = here.denied_vram_minutes(Layer.REQUESTS)
    assert (minutes[:, 0] == 0).all()
    violated = here.layers[Layer.REQUESTS].tally.violated[:, 1]
    assert minutes[:, 1] == pytest.approx(violated * 5.0)


@pytest.mark.parametrize("engine", ["dask", "dask://", "dask://host", "ray://host:1", "Local"])
def test_an_engine_that_is_not_known_is_named(fleet, policies, engine):
    with pytest.raises(InvalidValueError, match=r"engine.*dask://HOST:PORT"):
        run_backtest(fleet, policies, PLAN, engine=engine)


@pytest.mark.parametrize("jobs", [0, -2])
def test_a_number_of_processes_that_cannot_be_is_named(fleet, policies, jobs):
    with pytest.raises(InvalidValueError, match="jobs"):
        run_backtest(fleet, policies, PLAN, jobs=jobs)


def test_policies_of_another_fleet_are_a_defect_of_the_caller(fleet):
    with pytest.raises(ContractError, match="0 policies"):
        run_backtest(fleet, [], PLAN)
