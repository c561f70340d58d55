"""Decisions that meet the end of a GPU or of a quota, on a real API server."""

from __future__ import annotations

import pytest

from tests.cluster.gpu_pools import running_pool
from tests.cluster.gpus import add_gpus, gpu_name
from tests.cluster.spaces import annotation, owning
from tests.cluster.telling import DEADLINE_S, is_told, message_of, shows
from tests.cluster.test_admission_in_force import switched
from tests.cluster.test_controller import ENROLLED, decide, pod_of, running_pods
from tests.cluster.test_controller_amounts import (
    RAISED,
    amounts,
    decision,
    have,
    is_applied,
    running,
)
from tests.cluster.test_controller_edits import quota
from tests.components.processes import until


@pytest.fixture
def pool(control_plane, controller_process, tmp_path):
    """Have one GPU of 100 TFLOPS and 16 GiB."""
    with running_pool(control_plane, tmp_path / "kubelet", tflops="100", vram="16Gi") as running:
        yield running


@pytest.fixture(autouse=True)
def applying(control_plane, controller_process):
    """Have the whole installation in mode ``apply``."""
    with switched(control_plane, mode="apply"):
        yield


def test_an_amount_above_the_gpu_is_cut_to_it_and_follows_a_larger_ratio(
    space, pool, control_plane
):
    running(space, pool, **ENROLLED)
    decide(control_plane, space, "chat", decision(amounts("150", "20Gi"), amounts("200", "40Gi")))

    have(space, "100", "100", "16Gi", "16Gi")
    shown = is_applied(space, workers=0, reason="Capped")
    [entry] = shown["status"]["applied"]["capped"]
    assert entry["reason"] == "AboveGPU"
    assert "tflops-limit: 200 wanted, 100 granted" in entry["message"]


def test_a_total_cuts_a_raise_which_goes_on_when_the_quota_is_raised(space, pool, control_plane):
    space.apply(quota(requests={"tflops": "20"}, limits={"vram": "10Gi"})).well()
    running(space, pool, **ENROLLED)
    decide(control_plane, space, "chat", RAISED)

    have(space, "20", "60", "6Gi", "10Gi")
    shown = is_applied(space, workers=0, reason="Capped")
    assert "GPUResourceQuota team spec.total.requests.tflops" in message_of(shown, "DesiredApplied")
    is_told(space, "TensorFusionWorkload", "ResourceCapped", "team")

    space.apply(quota(requests={"tflops": "25"}, limits={"vram": "20Gi"})).well()
    have(space, "25", "60", "6Gi", "12Gi")
    space.kubectl("delete", "gpuresourcequota", "team").well()
    have(space, "30", "60", "6Gi", "12Gi")
    is_applied(space)


def test_room_in_a_quota_that_another_worker_frees_is_used(space, pool, control_plane):
    space.apply(quota(requests={"tflops": "30"})).well()
    space.create(pod_of(pool, "other")).well()
    running_pods(space, 1)
    space.create(pod_of(pool, **ENROLLED)).well()
    running_pods(space, 2)
    decide(control_plane, space, "chat", RAISED)
    have(space, "20", "60", "6Gi", "12Gi")

    space.kubectl("delete", "pod", "other", "--wait=false").well()

    have(space, "30", "60", "6Gi", "12Gi")


def test_workers_that_share_what_is_left_are_partly_raised_and_never_lowered(
    space, pool, control_plane
):
    owner = owning("Deployment", "chat", pod_of(pool, **ENROLLED))
    owner["spec"]["replicas"] = 3
    space.apply(owner).well()
    running_pods(space, 3)
    shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == 3)

    decide(control_plane, space, "chat", decision(amounts("45", "4Gi"), amounts("50", "8Gi")))

    shown = is_applied(space, workers=2, reason="Capped")
    assert shown["status"]["appliedRecommendedReplicas"] == 2
    held = sorted(int(annotation(pod, "tflops-request")) for pod in running_pods(space, 3))
    assert held == [10, 45, 45]
    space.kubectl("scale", "deployment", "chat", "--replicas=2").well()
    until(
        lambda: (
            sorted(
                annotation(pod, "tflops-request")
                for pod in space.pods()
                if not pod["metadata"].get("deletionTimestamp")
            )
            == ["45", "45"]
        ),
        what="both have all",
        deadline_s=DEADLINE_S,
    )
    is_applied(space, workers=2)


def test_a_worker_without_its_gpu_is_lowered_and_raised_when_the_gpu_is_back(
    space, pool, control_plane
):
    running(space, pool, **ENROLLED)
    control_plane.kubectl("delete", "gpu", gpu_name(pool.nodes[0], 0)).well()
    decide(control_plane, space, "chat", decision(amounts("5", "6Gi"), amounts("60", "8Gi")))
    have(space, "5", "20", "4Gi", "8Gi")
    shown = is_applied(space, workers=0, reason="Capped")
    [entry] = shown["status"]["applied"]["capped"]
    assert entry["reason"] == "GPULost"

    add_gpus(control_plane, pool.nodes[0], tflops="100", vram="16Gi")

    have(space, "5", "60", "6Gi", "8Gi")
    is_applied(space)
