"""What one view says, by what the caches show."""

import pytest

from autoscaler.kube.resource import GPUS, PODS, POOLS, QUOTAS, WORKLOADS
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.external.answers import ExternalAnswer
from recommender.gpu_models import GpuModel
from tests.autoscaler.scaling.live.live_objects import (
    A100,
    ENROLLED,
    GIB,
    L4,
    RESOURCES,
    desired,
    gpu,
    in_force,
    pool,
    quota,
    worker,
    workload,
)
from tests.autoscaler.scaling.live.live_world import LiveWorld

AMOUNTS = {"tflops": 10.0, "vram_bytes": 4 * GIB}
LIMITS = {"tflops": 20.0, "vram_bytes": 8 * GIB}
RAISED = in_force(tflops_request="30", tflops_limit="60", vram_request="6Gi", vram_limit="12Gi")
ASKED = {"externalScaler": {"enable": True, "url": "https://scaler.example.test"}}


def world(*, of=None, pods=(), gpus=None, quotas=(), gpu_models=None, mode="apply"):
    found = LiveWorld(gpu_models=gpu_models)
    found.switch(mode=mode)
    found.put(WORKLOADS, workload() if of is None else of)
    found.put(PODS, *pods)
    found.put(GPUS, *([gpu()] if gpus is None else gpus))
    found.put(POOLS, pool())
    found.put(QUOTAS, *quotas)
    return found


def test_a_view_says_who_the_workload_is():
    view = world(pods=[worker()], of=workload(qos="high")).view()
    assert (view.namespace, view.workload, view.uid) == (
        "team",
        "chat",
        "uid-of-tensorfusionworkload-chat",
    )
    assert (view.owner, view.pool, view.qos) == ("Deployment/chat", "pool", "high")


def test_stated_is_what_the_spec_says_and_in_force_what_the_workers_have():
    view = world(pods=[worker(amounts=RAISED)]).view()
    assert (dict(view.stated_request), dict(view.stated_limit)) == (AMOUNTS, LIMITS)
    assert dict(view.request) == {"tflops": 30.0, "vram_bytes": 6 * GIB}
    assert dict(view.limit) == {"tflops": 60.0, "vram_bytes": 12 * GIB}


def test_the_card_is_what_the_gpu_has():
    view = world(pods=[worker()]).view()
    assert view.gpu_model == A100
    assert dict(view.card) == {"tflops": 100.0, "vram_bytes": 80 * GIB, "tflops_pct": 100.0}


def test_percent_are_shown_in_tflops_and_their_source_says_so():
    said = {"compute-percent-limit": {"value": "40", "source": "profile small"}}
    of = workload(resources={"limits": {"compute": "40"}}, status={"effective": said})
    view = world(of=of, pods=[worker(amounts=in_force(compute_percent_limit="50"))]).view()
    assert dict(view.stated_limit) == {"tflops": 40.0}
    assert dict(view.limit) == {"tflops": 50.0}
    assert view.stated_sources["tflops-limit"] == (
        f"profile small (compute-percent-limit of {A100})"
    )


def test_percent_of_a_gpu_that_nobody_knows_stay_percent():
    of = workload(resources={"limits": {"compute": "40"}})
    view = world(of=of, gpus=[]).view()
    assert (dict(view.stated_limit), dict(view.limit)) == ({"tflops_pct": 40.0},) * 2
    assert (view.gpu_model, dict(view.card)) == ("", {})


def test_sources_are_those_of_statements_and_not_of_settings():
    effective = {
        "tflops-request": {"value": "10", "source": "annotation tensor-fusion.ai/tflops-request"},
        "autoScalingConfig.mode": {"value": "apply", "source": "profile small"},
    }
    view = world(of=workload(status={"effective": effective})).view()
    assert view.stated_sources == {"tflops-request": "annotation tensor-fusion.ai/tflops-request"}


# ----- several GPU models


def test_workers_on_two_models_are_two_views():
    pods = [worker("a"), worker("b", gpus=("GPU-2",), amounts=RAISED)]
    gpus = [gpu("GPU-1"), gpu("GPU-2", tflops="121", vram="24Gi", gpu_model=L4, model="L4")]
    first, second = world(pods=pods, gpus=gpus).snapshot()
    assert [(view.gpu_model, view.request["tflops"]) for view in (first, second)] == [
        (A100, 10.0),
        (L4, 30.0),
    ]
    assert [[each.name for each in view.workers] for view in (first, second)] == [["a"], ["b"]]
    assert second.card["tflops"] == 121.0


def test_each_model_has_the_decision_and_the_guard_that_names_it():
    guard = {"byGPUModel": {L4: {"changesToday": 2}}, "changesToday": 1}
    parts = {"byGPUModel": {L4: {"limits": {"tflops": "90"}, "requests": {"tflops": "80"}}}}
    of = workload(autoScalingConfig=ENROLLED, status={**desired(**parts), "guard": guard})
    pods = [worker("a"), worker("b", gpus=("GPU-2",))]
    gpus = [gpu("GPU-1"), gpu("GPU-2", tflops="121", gpu_model=L4, model="L4")]
    first, second = world(of=of, pods=pods, gpus=gpus).snapshot()
    assert (dict(first.start_request), first.guard.changes) == ({}, 1)
    assert (dict(second.start_request), second.guard.changes) == ({"tflops": 80.0}, 2)


# ----- without a worker that runs


def test_without_workers_what_one_would_start_with_is_in_force():
    view = world().view()
    assert (dict(view.request), dict(view.limit)) == (AMOUNTS, LIMITS)
    assert (view.start_request, view.start_limit, view.workers) == ({}, {}, ())


def test_without_workers_a_decision_is_in_force_as_admission_would_have_it():
    of = workload(
        autoScalingConfig=ENROLLED,
        status=desired(
            requests={"tflops": "30", "vram": "6Gi"},
            limits={"tflops": "60", "vram": "12Gi"},
            nextStart={"requests": {"vram": "3Gi"}},
        ),
    )
    assert dict(world(of=of).view().request) == {"tflops": 30.0, "vram_bytes": 3 * GIB}
    assert dict(world(of=of, mode="recommend").view().request) == AMOUNTS
    assert dict(world(of={**of, "spec": workload()["spec"]}).view().request) == AMOUNTS


def test_what_new_workers_start_with_is_said_where_it_is_other_than_what_runs():
    of = workload(
        autoScalingConfig=ENROLLED,
        status=desired(
            requests={"tflops": "30", "vram": "6Gi"},
            limits={"tflops": "60", "vram": "12Gi"},
            nextStart={"requests": {"vram": "5Gi"}},
        ),
    )
    view = world(of=of, pods=[worker(amounts=RAISED)]).view()
    assert (dict(view.start_request), dict(view.start_limit)) == ({"vram_bytes": 5 * GIB}, {})


def test_what_is_said_for_new_workers_stays_in_sight_when_they_run():
    of = workload(
        autoScalingConfig=ENROLLED,
        status=desired(
            requests={"tflops": "10", "vram": "9Gi"},
            limits={"tflops": "20", "vram": "12Gi"},
            nextStart={"requests": {"vram": "4Gi"}},
        ),
    )
    view = world(of=of, pods=[worker()]).view()
    assert view.request["vram_bytes"] == view.start_request["vram_bytes"]


def test_a_resting_workload_has_the_only_model_of_its_pool_that_it_may_mean():
    gpus = [
        gpu("GPU-1", gpu_model="NVIDIA A100-PCIE-40GB", tflops="312", vram="40Gi"),
        gpu("GPU-2", gpu_model=L4, model="L4"),
    ]
    view = world(of=workload(gpuModel="A100"), gpus=gpus).view()
    assert (view.gpu_model, view.card["vram_bytes"]) == ("NVIDIA A100-PCIE-40GB", 40 * GIB)
    assert world(gpus=gpus).view().gpu_model == ""
    assert world(gpus=gpus[1:]).view().gpu_model == L4


def test_a_model_that_the_cluster_lacks_has_the_card_of_the_table():
    view = world(of=workload(gpuModel="H100"), gpus=[]).view()
    assert (view.gpu_model, view.card["tflops"]) == ("NVIDIA H100 80GB HBM3", 989.4)


def test_own_models_and_prices_are_those_of_the_settings():
    own = GpuModel("Special 9000", 123.0, int(7 * GIB), (), "settings")
    models = GpuModels(own=(own,), prices={"Special 9000": 2.5})
    view = world(of=workload(gpuModel="Special 9000"), gpus=[], gpu_models=models).view()
    assert (view.card["tflops"], view.price_per_gpu_hour) == (123.0, 2.5)


def test_workers_that_leave_are_shown_and_nothing_of_them_is_in_force():
    going = worker(amounts=RAISED, metadata={"deletionTimestamp": "2026-01-01T01:00:00Z"})
    view = world(pods=[going]).view()
    assert dict(view.request) == AMOUNTS
    assert [(each.name, each.is_surplus) for each in view.workers] == [("chat-1", True)]


def test_workers_that_wait_or_ended_are_not_shown():
    ended = worker("b")
    ended["status"]["phase"] = "Succeeded"
    assert world(pods=[worker("a", gpus=()), ended]).view().workers == ()


# ----- what bounds it


def test_there_is_room_on_another_gpu_of_its_pool():
    gpus = [gpu("GPU-1", free=("5", "1Gi")), gpu("GPU-2", free=("70", "30Gi"))]
    view = world(pods=[worker()], gpus=gpus).view()
    assert dict(view.largest_placeable) == {"tflops": 70.0, "vram_bytes": 30 * GIB}


def test_what_it_has_itself_counts_as_room():
    view = world(pods=[worker()], gpus=[gpu("GPU-1", free=("5", "1Gi"))]).view()
    assert dict(view.largest_placeable) == {"tflops": 15.0, "vram_bytes": 5 * GIB}


def test_quotas_bound_requests_and_replicas():
    bound = quota(
        single={"maxRequests": {"tflops": "25"}},
        total={"maxWorkers": 3},
        used={"workers": 1},
    )
    view = world(pods=[worker()], quotas=[bound]).view()
    assert (dict(view.quota), view.replica_quota) == ({"tflops": 25.0}, 3)


def test_a_decision_above_a_quota_starts_at_the_quota():
    of = workload(
        autoScalingConfig=ENROLLED,
        status=desired(requests={"tflops": "30"}, limits={"tflops": "40"}),
    )
    bound = quota(single={"maxRequests": {"tflops": "25"}})
    assert world(of=of, quotas=[bound]).view().request["tflops"] == 25.0


@pytest.mark.parametrize(
    ("switches", "annotations", "is_pool_paused", "expected"),
    [
        ({}, {}, False, False),
        ({"paused": "true"}, {}, False, True),
        ({}, {"tensor-fusion.ai/paused": "true"}, False, True),
        ({}, {}, True, True),
    ],
)
def test_a_pause_is_of_everything_a_pool_or_a_workload(
    switches, annotations, is_pool_paused, expected
):
    found = world(of=workload(metadata={"annotations": annotations}))
    found.put(POOLS, pool(is_paused=is_pool_paused))
    found.switch(mode="apply", **switches)
    assert found.view().is_paused == expected


def test_what_an_external_scaler_wants_is_in_the_view_of_who_asks():
    found = world(of=workload(autoScalingConfig=ASKED), pods=[worker()])
    found.answers["uid-of-tensorfusionworkload-chat"] = ExternalAnswer(
        request=amounts({"tflops_pct": 30.0}), replicas=4
    )
    view = found.view()
    assert (dict(view.external_request), view.external_replicas) == ({"tflops": 30.0}, 4)
    found.put(WORKLOADS, workload())
    assert found.view().external_replicas is None


# ----- replicas


def test_workers_beyond_the_replicas_are_surplus():
    pods = [worker("old", ready_s=60), worker("new")]
    view = world(pods=pods).view()
    assert {each.name: each.is_surplus for each in view.workers} == {"old": False, "new": True}


def test_replicas_are_those_of_the_spec_and_the_stated_ones_what_is_remembered():
    found = world(of=workload(autoScalingConfig=ENROLLED, replicas=6))
    found.guards.remember("chat", stated=2)
    view = found.view()
    assert (view.replicas, view.stated_replicas, view.replicas_held) == (6, 2, "")


def test_gpus_are_counted_as_workers_have_them():
    gpus = [gpu("GPU-1"), gpu("GPU-2")]
    stated = workload(gpuCount=4, resources=RESOURCES)
    assert world(of=stated, gpus=gpus).view().gpu_count == 4
    pods = [worker(gpus=("GPU-1", "GPU-2"))]
    assert world(of=stated, gpus=gpus, pods=pods).view().gpu_count == 2


def test_the_pool_is_that_of_the_workers_where_the_workload_states_none():
    assert world(of=workload(poolName=None), pods=[worker()]).view().pool == "pool"
