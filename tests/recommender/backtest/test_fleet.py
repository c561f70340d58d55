import sys
from dataclasses import fields

import numpy as np
import pytest

from recommender.backtest.contender import Contender
from recommender.backtest.engine import EngineError
from recommender.backtest.fleet import WORKLOADS_PER_PART, run_backtests
from recommender.backtest.plan import ReplayPlan
from recommender.backtest.replayed_fleet import unbounded_workloads
from recommender.backtest.rules import TENSOR_FUSION, VPA
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


def run_backtest(fleet, policies, plan, **options):
    """Replay a fleet under the policies of its workloads alone."""
    own = Contender(name="own", policies=tuple(policies))
    (result,) = run_backtests(fleet, [own], plan, **options)
    return result


@pytest.fixture(scope="module")
def here(fleet, policies):
    return run_backtest(fleet, policies, PLAN)


def assert_same(one, other):
    """Compare every number of two results, to the bit."""
    for layer in PLAN.steps_s:
        for part in ("tally", "scores"):
            assert_equal_columns(
                getattr(one.layers[layer], part), getattr(other.layers[layer], part)
            )
    assert_equal_columns(one.costs, other.costs)


def assert_equal_columns(one, other):
    for column in fields(one):
        np.testing.assert_array_equal(getattr(one, column.name), getattr(other, column.name))


def test_every_workload_has_a_score_in_the_order_of_the_frame(fleet, policies, here):
    assert here.workloads == fleet.workloads
    assert here.layers[Layer.LIMITS].scores.slack.shape == (ROWS, 2)
    last = run_backtest(fleet.of_workloads([ROWS - 1]), policies[:1], PLAN)
    np.testing.assert_array_equal(
        here.layers[Layer.LIMITS].scores.slack[-1], last.layers[Layer.LIMITS].scores.slack[0]
    )


def test_local_processes_give_the_same_scores(fleet, policies, here):
    assert_same(run_backtest(fleet, policies, PLAN, jobs=2), here)


def test_two_dask_workers_give_the_same_scores(fleet, policies, here):
    from distributed import Client

    shares = []
    with dask_cluster() as address:
        there = run_backtest(
            fleet, policies, PLAN, engine=f"dask://{address}", progress=shares.append
        )
        with Client(address) as client:
            workers = client.scheduler_info()["workers"]
            ran = client.run(lambda: "recommender.backtest.part" in sys.modules)
    assert_same(there, here)
    assert shares == [0.5, 1.0]
    assert [address.partition(":")[0] for address in workers] == ["tcp", "tcp"]
    assert list(ran.values()) == [True, True]


def test_a_cluster_without_workers_is_named(fleet, policies):
    with dask_cluster(workers=0) as address, pytest.raises(EngineError, match="has no worker"):
        run_backtest(fleet, policies, PLAN, engine=f"dask://{address}")


def test_a_worker_without_the_package_is_named(fleet, policies, tmp_path):
    without = tmp_path / "without.py"
    without.write_text("import sys\nsys.modules['recommender'] = None\n")
    with (
        dask_cluster(workers=1, preload=without) as address,
        pytest.raises(EngineError, match=r"tcp://\S+ lacks the package recommender"),
    ):
        run_backtest(fleet, policies, PLAN, engine=f"dask://{address}")


def test_several_policies_are_judged_on_the_same_steps(fleet, policies):
    late = fleet.steps // 2
    stated = unbounded_workloads(fleet.workloads, 2, stated_request=np.full((ROWS, 2), 5.0))
    own, unmoved = run_backtests(
        fleet,
        [Contender(name="own", policies=tuple(policies)), Contender(name="stated")],
        PLAN,
        workloads=stated,
    )
    assert (own.name, unmoved.name) == ("own", "stated")
    judged = own.layers[Layer.REQUESTS].tally.judged
    np.testing.assert_array_equal(judged, unmoved.layers[Layer.REQUESTS].tally.judged)
    assert (judged > late).all()
    assert unmoved.layers[Layer.REQUESTS].tally.allocated == pytest.approx(5.0 * judged)


def test_what_one_policy_does_not_size_is_judged_of_none(fleet, policies):
    own, vpa = run_backtests(
        fleet,
        [Contender(name="own", policies=tuple(policies)), Contender(name="vpa", rule=VPA)],
        PLAN,
    )
    for result in (own, vpa):
        assert (result.layers[Layer.LIMITS].tally.judged == 0).all()
        assert (result.layers[Layer.REQUESTS].tally.judged > 0).all()


def test_a_policy_beside_another_has_the_scores_that_it_has_alone(fleet, policies, here):
    own, _ = run_backtests(
        fleet,
        [Contender(name="own", policies=tuple(policies)), Contender(name="tf", rule=TENSOR_FUSION)],
        PLAN,
    )
    np.testing.assert_array_equal(
        own.layers[Layer.REQUESTS].scores.slack, here.layers[Layer.REQUESTS].scores.slack
    )


def test_amounts_are_of_all_devices_of_a_worker(fleet, policies, here):
    two = np.full(ROWS, 2)
    doubled = run_backtest(
        fleet, policies, PLAN, workloads=unbounded_workloads(fleet.workloads, 2, gpu_count=two)
    )
    one_device, two_devices = (r.layers[Layer.REQUESTS].tally for r in (here, doubled))
    assert two_devices.allocated == pytest.approx(2 * one_device.allocated)
    np.testing.assert_array_equal(two_devices.violated, one_device.violated)


def test_the_fleets_scores_weigh_every_judged_step_the_same(here):
    of_layer = here.layers[Layer.REQUESTS].tally
    pooled = of_layer.violated[:, 0].sum() / of_layer.judged[:, 0].sum()
    assert here.fleet(Layer.REQUESTS).violated_share[0] == pytest.approx(pooled)


def test_denied_minutes_are_those_of_vram(here):
    minutes = here.denied_vram_minutes(Layer.REQUESTS)
    assert (minutes[:, 0] == 0).all()
    violated = here.layers[Layer.REQUESTS].tally.violated[:, 1]
    assert minutes[:, 1] == pytest.approx(violated * 5.0)


@pytest.mark.parametrize(
    "engine", ["dask", "dask://", "dask://host", "dask://host:99999", "ray://host:1", "Local"]
)
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
