"""Decisions that meet full cards, pauses, users and pods that wait, on a real API server."""

from __future__ import annotations

import pytest

from autoscaler.api.names import PAUSED, PREFIX, EventReason
from tests.cluster.gpu_pools import running_pool
from tests.cluster.spaces import annotation
from tests.cluster.test_admission_in_force import switched
from tests.cluster.test_controller import (
    DEADLINE_S,
    ENROLLED,
    condition_of,
    decide,
    pod_of,
    running_pods,
    workload_shows,
)
from tests.components.processes import until


@pytest.fixture
def pool(control_plane, controller_process, tmp_path):
    """Have one GPU of 100 TFLOPS and 16 GiB."""
    with running_pool(control_plane, tmp_path / "kubelet", tflops="100", vram="16Gi") as running:
        yield running


@pytest.fixture
def applying(control_plane):
    with switched(control_plane, mode="apply"):
        yield


def decided(tflops, vram, *, sequence=1):
    amounts = {"tflops": tflops, "vram": vram}
    return {"epoch": 1, "sequence": sequence, "requests": amounts, "limits": amounts}


def requests_of(space, name="chat"):
    pod = space.get("pod", name)
    return annotation(pod, "tflops-request"), annotation(pod, "vram-request")


def has_requests(space, *expected):
    until(
        lambda: requests_of(space) == expected,
        what=f"chat requests {expected}",
        deadline_s=DEADLINE_S,
    )


def shows_applied(space, *, workers, sequence=1):
    def condition(obj):
        applied = obj["status"]["applied"]
        return (applied["sequence"], applied["workers"]) == (sequence, workers)

    return workload_shows(space, "chat", condition)


def test_what_a_full_gpu_cannot_give_is_told_and_comes_when_there_is_room(
    space, pool, applying, control_plane
):
    space.create(pod_of(pool, "other", tflops_request="80", tflops_limit="80")).well()
    running_pods(space, 1)
    space.create(pod_of(pool, **ENROLLED)).well()
    running_pods(space, 2)

    decide(control_plane, space, "chat", decided("30", "14Gi"))

    has_requests(space, "20", "12Gi")
    shown = workload_shows(
        space, "chat", lambda obj: condition_of(obj, "DesiredApplied") == ("False", "Capped")
    )
    [entry] = shown["status"]["applied"]["capped"]
    assert (entry["worker"], entry["reason"]) == ("chat", "GPUFull")
    assert "vram-request: 14Gi wanted, 12Gi granted" in entry["message"]
    reasons = until(
        lambda: (
            {
                each["reason"]
                for each in space.kubectl("get", "events.events.k8s.io", "-o", "json").json["items"]
                if each["regarding"]["kind"] == "TensorFusionWorkload"
            }
            & {EventReason.RESOURCE_CAPPED}
        ),
        what="an event tells of it",
    )
    assert reasons == {"ResourceCapped"}

    space.kubectl("delete", "pod", "other", "--wait=false").well()

    has_requests(space, "30", "14Gi")
    shown = shows_applied(space, workers=1)
    assert "capped" not in shown["status"]["applied"]
    assert condition_of(shown, "DesiredApplied") == ("True", "Applied")


def test_a_pod_that_its_user_sets_back_to_what_was_declared_is_adjusted_again(
    space, pool, applying, control_plane
):
    space.create(pod_of(pool, **ENROLLED)).well()
    running_pods(space, 1)
    decide(control_plane, space, "chat", decided("30", "8Gi"))
    shows_applied(space, workers=1)
    before = space.get("pod", "chat")["metadata"]["resourceVersion"]

    words = (f"{PREFIX}tflops-request=10", f"{PREFIX}tflops-limit=20", "--overwrite")
    space.kubectl("annotate", "pod", "chat", *words).well()

    has_requests(space, "30", "8Gi")
    assert space.get("pod", "chat")["metadata"]["resourceVersion"] != before


def test_a_paused_workload_keeps_what_it_has_until_the_pause_ends(
    space, pool, applying, control_plane
):
    space.create(pod_of(pool, **ENROLLED)).well()
    running_pods(space, 1)
    workload_shows(space, "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
    space.kubectl("annotate", "tfw", "chat", f"{PAUSED}=true").well()

    decide(control_plane, space, "chat", decided("30", "8Gi"))

    workload_shows(
        space, "chat", lambda obj: condition_of(obj, "DesiredApplied") == ("False", "Paused")
    )
    assert requests_of(space) == ("10", "4Gi")
    space.kubectl("annotate", "tfw", "chat", f"{PAUSED}-").well()
    has_requests(space, "30", "8Gi")
    shows_applied(space, workers=1)


def test_a_pod_that_waits_for_room_is_placed_with_a_smaller_decision(
    space, pool, applying, control_plane
):
    space.create(pod_of(pool, **ENROLLED, vram_request="40Gi", vram_limit="40Gi")).well()
    workload_shows(space, "chat", lambda obj: condition_of(obj, "Placed")[0] == "False")

    decide(control_plane, space, "chat", decided("10", "12Gi"))

    [pod] = running_pods(space, 1)
    assert annotation(pod, "vram-request") == "12Gi"
    assert annotation(pod, "declared-vram-request") == "40Gi"
    shows_applied(space, workers=1)
