from __future__ import annotations

import numpy as np
import pytest

from autoscaler.errors import UsageError
from autoscaler.simulate.declaring import declared
from autoscaler.simulate.demo_fleet import ROLL_BACK, demo_fleet
from autoscaler.simulate.families import DiurnalServing
from autoscaler.simulate.fleet import CardGroup, Fleet
from autoscaler.simulate.simulation import START_S, simulate
from recommender.forecast.fleet_model import LEAST_ROWS
from recommender.forecast.gate import Gate
from recommender.policy.model import Dimension, Mode
from recommender.resources import GIB

LOAD = DiurnalServing(
    night_tflops=20.0, day_tflops=120.0, weights_bytes=8 * GIB, cache_bytes=3 * GIB
)


AMOUNTS = {
    "tflops-request": "60",
    "tflops-limit": "100",
    "vram-request": "12Gi",
    "vram-limit": "16Gi",
}


def _fleet(**enrolled):
    annotations = {**AMOUNTS, "replicas": "2", **enrolled}
    chat = declared("team/chat", LOAD, pool="p", gpu_model="A100", annotations=annotations)
    return Fleet(cards=(CardGroup(pool="p", gpu_model="A100", count=3),), workloads=(chat,))


def test_layers_tick_every_minute_and_every_15_s_in_the_shown_hour():
    result = simulate(_fleet(), days=2 / 24, burst_hour=1)

    assert result.ticks == 60 + 240
    assert result.now_s == START_S + 7200


def test_progress_is_told_up_to_the_end():
    told = []

    simulate(_fleet(), days=1 / 24, progress=lambda done, of: told.append((done, of)))

    assert len(told) == 60
    assert told[0] == (60, 3600)
    assert told[-1] == (3600, 3600)


def test_the_same_seed_gives_the_same_end_and_another_one_does_not():
    fleet = _fleet(**{"auto-limits": "true"})

    one, same, other = (simulate(fleet, days=2 / 24, seed=seed) for seed in (1, 1, 2))

    assert one.history == same.history
    np.testing.assert_array_equal(one.decisions.target_limit, same.decisions.target_limit)
    assert (one.decisions.target_limit != other.decisions.target_limit).any()


def test_all_parts_of_a_result_have_a_row_for_each_workload():
    result = simulate(_fleet(), days=1 / 24)

    assert len(result.views) == len(result.policies) == 1
    assert result.observation.shape == result.decisions.target_request.shape == (1, 2)
    assert result.evidence.p95.shape == (1, 2)
    assert result.observation.workloads.workload == ("chat",)


def test_in_mode_recommend_nothing_is_changed_and_everything_is_decided():
    fleet = _fleet(**{"auto-limits": "true", "auto-requests": "true"})

    result = simulate(fleet, days=2 / 24, mode=Mode.RECOMMEND)

    assert result.history == {}
    assert result.views[0].limit == result.views[0].stated_limit
    assert np.isfinite(result.decisions.target_limit).all()


@pytest.mark.parametrize("days", [0, -1, 1e-6])
def test_a_length_that_cannot_be_simulated_is_refused(days):
    with pytest.raises(UsageError, match="at least one minute"):
        simulate(_fleet(), days=days)


def test_a_fleet_without_workloads_is_refused():
    fleet = Fleet(cards=(CardGroup(pool="p", gpu_model="A100", count=1),), workloads=())

    with pytest.raises(UsageError, match="0 workloads"):
        simulate(fleet)


def test_declarations_with_errors_are_refused_all_at_once():
    with pytest.raises(UsageError) as caught:
        declared(
            "team/chat",
            LOAD,
            pool="p",
            gpu_model="A100",
            annotations={"tflops-request": "much", "qos": "urgent"},
        )

    text = str(caught.value)
    assert "team/chat" in text
    assert "much" in text
    assert "urgent" in text
    assert "no vram_bytes limit is declared" in text


def _enrolment(workload):
    policy = workload.policy
    return (
        policy.requests[Dimension.COMPUTE].is_enrolled,
        policy.limits[Dimension.COMPUTE].is_enrolled,
        policy.replicas.is_enrolled,
    )


def test_the_demonstration_fleet_shows_every_way_to_enrol():
    fleet = demo_fleet()
    enrolments = [_enrolment(workload) for workload in fleet.workloads]

    assert len(fleet.workloads) >= 50
    assert len({workload.namespace for workload in fleet.workloads}) >= 4
    assert len({(group.pool, group.gpu_model) for group in fleet.cards}) >= 2
    assert all(group.price_per_gpu_hour for group in fleet.cards)
    assert {
        (True, False, False),
        (False, True, False),
        (False, False, True),
        (True, True, True),
    } <= set(enrolments)
    assert enrolments.count((False, False, False)) > 25
    assert sum(len(workload.policy.cron) for workload in fleet.workloads) == 1
    assert ROLL_BACK in {(w.namespace, w.workload) for w in fleet.workloads}


def test_every_worker_of_the_demonstration_fleet_is_placed():
    fleet = demo_fleet()

    result = simulate(fleet, days=1 / 24)

    running = {view.key: len(view.workers) for view in result.views}
    assert min(running.values()) >= 1
    stated = {(w.namespace, w.workload): w.replicas for w in fleet.workloads}
    assert all(running[key] == stated[key] for key in stated if key not in result.history)


def test_the_models_of_the_fleet_are_trained_in_the_time_that_is_simulated():
    asked = {"autoSetLimits": {"enable": True, "prediction": {"enable": True}}}
    workloads = tuple(
        declared(
            f"team/w{number}",
            LOAD,
            pool="p",
            gpu_model="A100",
            annotations={**AMOUNTS, "replicas": "1"},
            profile={"autoScalingConfig": asked},
        )
        for number in range(60)
    )
    fleet = Fleet(cards=(CardGroup(pool="p", gpu_model="A100", count=60),), workloads=workloads)

    one, same = (simulate(fleet, days=1.5 / 24) for _ in range(2))

    [compute, _] = one.loop.model.forecasts.streams.values()
    [same_compute, _] = same.loop.model.forecasts.streams.values()
    assert compute.forecaster.model.rows >= LEAST_ROWS
    assert compute.current.value.tobytes() == same_compute.current.value.tobytes()
    gates = one.forecasts.limits.gate
    assert len(one.views) == len(gates)
    assert set(gates.ravel().tolist()) <= {Gate.YOUNG, Gate.UNPROVEN, Gate.NO_GAIN, Gate.OPEN}
