"""Amounts of running workers follow decisions in place: every part of the contract, on a real API
server with the policies in force."""

from __future__ import annotations

import json

import pytest

from autoscaler.api.names import API_VERSION, PAUSED, PREFIX
from tests.cluster.gpu_pools import running_pool
from tests.cluster.spaces import annotation, owning
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
from tests.cluster.test_controller_troubles import is_said, is_told, message_of, quota
from tests.components.processes import until

KEYS = ("tflops-request", "tflops-limit", "vram-request", "vram-limit")
DECLARED = ("10", "20", "4Gi", "8Gi")


@pytest.fixture
def pool(control_plane, controller_process, tmp_path):
    """Have one GPU of 100 TFLOPS and 16 GiB."""
    with running_pool(control_plane, tmp_path / "kubelet", tflops="100", vram="16Gi") as running:
        yield running


@pytest.fixture
def applying(control_plane):
    with switched(control_plane, mode="apply"):
        yield


def amounts(tflops, vram):
    return {"tflops": tflops, "vram": vram}


def decision(requests=None, limits=None, *, epoch=1, sequence=1, **parts):
    stated = {"requests": requests, "limits": limits}
    present = {key: value for key, value in stated.items() if value is not None}
    return {"epoch": epoch, "sequence": sequence, **present, **parts}


RAISED = decision(amounts("30", "6Gi"), amounts("60", "12Gi"))


def in_force(pod):
    return tuple(annotation(pod, key) for key in KEYS)


def have(space, *expected, name="chat"):
    until(
        lambda: in_force(space.get("pod", name)) == expected,
        what=f"{name} has {expected}",
        deadline_s=DEADLINE_S,
    )


def is_applied(space, sequence=1, *, epoch=1, workers=1, reason="Applied"):
    return workload_shows(
        space,
        "chat",
        lambda obj: (
            condition_of(obj, "DesiredApplied")[1] == reason
            and obj["status"]["applied"]["epoch"] == epoch
            and obj["status"]["applied"]["sequence"] == sequence
            and obj["status"]["applied"]["workers"] == workers
        ),
    )


def running(space, pool, **annotations):
    space.create(pod_of(pool, **annotations)).well()
    running_pods(space, 1)
    workload_shows(space, "chat", lambda obj: obj["status"]["readyWorkers"] == 1)


@pytest.mark.usefixtures("applying")
def test_amounts_are_raised_and_lowered_and_books_and_events_follow(space, pool, control_plane):
    running(space, pool, **ENROLLED)
    uid = space.get("pod", "chat")["metadata"]["uid"]

    decide(control_plane, space, "chat", RAISED)
    have(space, "30", "60", "6Gi", "12Gi")
    is_applied(space)
    is_told(control_plane, space.name, "TensorFusionWorkload", "ResourceScaledUp", "10 to 30")

    lower = decision(amounts("5", "2Gi"), amounts("10", "4Gi"), sequence=2)
    decide(control_plane, space, "chat", lower)
    have(space, "5", "10", "2Gi", "4Gi")
    is_applied(space, 2)
    is_told(control_plane, space.name, "TensorFusionWorkload", "ResourceScaledDown", "30 to 5")

    def is_free():
        words = ("get", "gpu", "-l", f"{PREFIX}gpupool={pool.name}", "-o", "json")
        [gpu] = control_plane.kubectl(*words).json["items"]
        return gpu["status"]["available"] == {"tflops": "95", "vram": "14Gi"}

    until(is_free, what="what was lowered is free", deadline_s=DEADLINE_S)
    assert space.get("pod", "chat")["metadata"]["uid"] == uid


@pytest.mark.usefixtures("applying")
def test_a_part_for_the_gpu_model_wins_by_any_of_its_names(space, pool, control_plane):
    running(space, pool, **ENROLLED)
    on_a100 = {"requests": {"tflops": "25"}}
    parts = {"byGPUModel": {"H100": {"requests": {"tflops": "77"}}, "a100 80gb": on_a100}}
    decide(control_plane, space, "chat", {**RAISED, **parts})
    have(space, "25", "60", "6Gi", "12Gi")
    is_applied(space)


@pytest.mark.usefixtures("applying")
def test_a_part_for_the_next_start_changes_no_running_worker_and_every_new_one(
    space, pool, control_plane
):
    owner = owning("Deployment", "chat", pod_of(pool, **ENROLLED))
    space.apply(owner).well()
    [pod] = running_pods(space, 1)
    workload_shows(space, "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
    later = {"nextStart": {"limits": {"vram": "6Gi"}}}
    decide(control_plane, space, "chat", {**RAISED, **later})
    have(space, "30", "60", "6Gi", "12Gi", name=pod["metadata"]["name"])

    space.kubectl("scale", "deployment", "chat", "--replicas=2").well()

    pods = running_pods(space, 2)
    assert sorted(map(in_force, pods)) == [
        ("30", "60", "6Gi", "12Gi"),
        ("30", "60", "6Gi", "6Gi"),
    ]
    is_applied(space, workers=2)


@pytest.mark.usefixtures("applying")
def test_only_the_layers_that_are_enrolled_follow(space, pool, control_plane):
    running(space, pool, auto_limits="true")
    decide(control_plane, space, "chat", RAISED)
    have(space, "10", "60", "4Gi", "12Gi")
    is_applied(space)


@pytest.mark.usefixtures("applying")
def test_a_decision_that_is_withdrawn_leaves_what_runs_and_counts_no_more(
    space, pool, control_plane
):
    running(space, pool, **ENROLLED)
    decide(control_plane, space, "chat", RAISED)
    is_applied(space)

    decide(control_plane, space, "chat", None)

    shown = workload_shows(space, "chat", lambda obj: "applied" not in obj["status"])
    assert "DesiredApplied" not in {each["type"] for each in shown["status"]["conditions"]}
    assert in_force(space.get("pod", "chat")) == ("30", "60", "6Gi", "12Gi")


@pytest.mark.usefixtures("applying")
def test_an_enrolment_that_its_user_takes_back_stops_the_decisions(space, pool, control_plane):
    running(space, pool, **ENROLLED)
    decide(control_plane, space, "chat", RAISED)
    is_applied(space)
    words = (f"{PREFIX}auto-requests-", f"{PREFIX}auto-limits-")
    space.kubectl("annotate", "pod", "chat", *words).well()
    workload_shows(space, "chat", lambda obj: "autoScalingConfig" not in obj["spec"])

    decide(control_plane, space, "chat", decision(amounts("1", "1Gi"), sequence=2))

    shown = is_applied(space, 2, reason="NotEnrolled")
    assert in_force(space.get("pod", "chat")) == ("30", "60", "6Gi", "12Gi")
    assert "enrolled" in message_of(shown, "DesiredApplied")


@pytest.mark.usefixtures("applying")
def test_mode_initial_reaches_pods_that_start_and_no_other(space, pool, control_plane):
    profile = {
        "apiVersion": API_VERSION,
        "kind": "WorkloadProfile",
        "metadata": {"name": "careful"},
        "spec": {
            "autoScalingConfig": {
                "mode": "initial",
                "autoSetRequests": {"enable": True},
                "autoSetLimits": {"enable": True},
            }
        },
    }
    owner = owning("Deployment", "chat", pod_of(pool, workload_profile="careful"))
    space.apply(profile, owner).well()
    [first] = running_pods(space, 1)
    workload_shows(space, "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
    decide(control_plane, space, "chat", RAISED)
    is_applied(space, reason="AtStart")

    space.kubectl("scale", "deployment", "chat", "--replicas=2").well()

    pods = {pod["metadata"]["name"]: in_force(pod) for pod in running_pods(space, 2)}
    assert pods.pop(first["metadata"]["name"]) == DECLARED
    assert list(pods.values()) == [("30", "60", "6Gi", "12Gi")]
    profile["spec"]["autoScalingConfig"]["mode"] = "apply"
    space.apply(profile).well()
    have(space, "30", "60", "6Gi", "12Gi", name=first["metadata"]["name"])


@pytest.mark.parametrize("switch", ["mode", "everything", "pool"])
def test_a_switch_holds_decisions_back_until_it_is_turned(switch, space, pool, control_plane):
    with switched(control_plane, mode="apply"):
        running(space, pool, **ENROLLED)
        if switch == "pool":
            control_plane.kubectl("annotate", "gpupool", pool.name, f"{PAUSED}=true").well()
            decide(control_plane, space, "chat", RAISED)
            is_said(space, "chat", "DesiredApplied", "Paused", pool.name)
            assert in_force(space.get("pod", "chat")) == DECLARED
            control_plane.kubectl("annotate", "gpupool", pool.name, f"{PAUSED}-").well()
        else:
            data = {"mode": "recommend"} if switch == "mode" else {"paused": "true"}
            with switched(control_plane, **data):
                decide(control_plane, space, "chat", RAISED)
                reason = "RecommendOnly" if switch == "mode" else "Paused"
                is_said(space, "chat", "DesiredApplied", reason, "tensor-fusion-control")
                assert in_force(space.get("pod", "chat")) == DECLARED
            if switch == "mode":
                control_plane.kubectl(
                    *("patch", "configmap", "tensor-fusion-control"),
                    *("-n", "tensor-fusion-autoscaler", "--type=merge"),
                    *("-p", '{"data": {"mode": "apply"}}'),
                ).well()
        have(space, "30", "60", "6Gi", "12Gi")
        is_applied(space)


@pytest.mark.usefixtures("applying")
def test_an_older_decision_is_said_and_changes_nothing(space, pool, control_plane):
    running(space, pool, **ENROLLED)
    decide(control_plane, space, "chat", {**RAISED, "epoch": 3, "sequence": 7})
    is_applied(space, 7, epoch=3)

    lower = decision(amounts("1", "1Gi"), amounts("2", "2Gi"), epoch=2, sequence=99)
    decide(control_plane, space, "chat", lower)

    text = "epoch 2, sequence 99 is older than what was applied: epoch 3, sequence 7"
    shown = is_said(space, "chat", "DesiredApplied", "StaleDecision", text)
    assert shown["status"]["applied"] == {"epoch": 3, "sequence": 7, "workers": 1}
    assert in_force(space.get("pod", "chat")) == ("30", "60", "6Gi", "12Gi")
    decide(control_plane, space, "chat", {**lower, "epoch": 4})
    have(space, "1", "2", "1Gi", "2Gi")


@pytest.mark.usefixtures("applying")
@pytest.mark.parametrize(
    "parts",
    [
        {"requests": {"tflops": "30", "compute": "10"}},
        {"limits": {"vram": "1e99"}},
        {"byGPUModel": {"A100": {"requests": {"tflops": "9", "compute": "10"}}}},
        {"requests": {"tflops": "200"}, "limits": {"tflops": "20"}},
    ],
)
def test_nonsense_is_said_or_bounded_and_a_right_decision_follows(
    parts, space, pool, control_plane
):
    running(space, pool, **ENROLLED)
    decide(control_plane, space, "chat", {"epoch": 1, "sequence": 1, **parts})
    shown = workload_shows(
        space, "chat", lambda obj: condition_of(obj, "DesiredApplied")[1] != "RecommendOnly"
    )
    print(parts, condition_of(shown, "DesiredApplied"), message_of(shown, "DesiredApplied"))
    print(in_force(space.get("pod", "chat")))
    decide(control_plane, space, "chat", {**RAISED, "sequence": 2})
    have(space, "30", "60", "6Gi", "12Gi")
    is_applied(space, 2)


@pytest.mark.usefixtures("applying")
def test_an_amount_above_the_gpu_is_cut_to_it_and_follows_a_larger_ratio(
    space, pool, control_plane
):
    running(space, pool, **ENROLLED)
    decide(
        control_plane, space, "chat", decision(amounts("150", "20Gi"), amounts("200", "40Gi"))
    )

    have(space, "100", "100", "16Gi", "16Gi")
    shown = is_applied(space, workers=0, reason="Capped")
    [entry] = shown["status"]["applied"]["capped"]
    assert entry["reason"] == "AboveGPU"
    assert "tflops-limit: 200 wanted, 100 granted" in entry["message"]


@pytest.mark.usefixtures("applying")
def test_a_total_cuts_a_raise_which_goes_on_when_the_quota_is_raised(space, pool, control_plane):
    space.apply(quota(requests={"tflops": "20"}, limits={"vram": "10Gi"})).well()
    running(space, pool, **ENROLLED)
    decide(control_plane, space, "chat", RAISED)

    have(space, "20", "60", "6Gi", "10Gi")
    shown = is_applied(space, workers=0, reason="Capped")
    assert "GPUResourceQuota team spec.total.requests.tflops" in message_of(shown, "DesiredApplied")
    is_told(control_plane, space.name, "TensorFusionWorkload", "ResourceCapped", "team")

    space.apply(quota(requests={"tflops": "25"}, limits={"vram": "20Gi"})).well()
    have(space, "25", "60", "6Gi", "12Gi")
    space.kubectl("delete", "gpuresourcequota", "team").well()
    have(space, "30", "60", "6Gi", "12Gi")
    is_applied(space)


@pytest.mark.usefixtures("applying")
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


@pytest.mark.usefixtures("applying")
def test_workers_that_share_what_is_left_are_partly_raised_and_never_lowered(
    space, pool, control_plane
):
    owner = owning("Deployment", "chat", pod_of(pool, **ENROLLED))
    owner["spec"]["replicas"] = 3
    space.apply(owner).well()
    running_pods(space, 3)
    workload_shows(space, "chat", lambda obj: obj["status"]["readyWorkers"] == 3)

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


@pytest.mark.usefixtures("applying")
def test_a_bare_pod_that_is_applied_again_is_adjusted_again(space, pool, control_plane):
    manifest = pod_of(pool, **ENROLLED)
    space.apply(manifest).well()
    running_pods(space, 1)
    workload_shows(space, "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
    decide(control_plane, space, "chat", RAISED)
    have(space, "30", "60", "6Gi", "12Gi")
    before = is_applied(space)["metadata"]

    space.apply(manifest).well()

    have(space, "30", "60", "6Gi", "12Gi")
    after = is_applied(space)["metadata"]
    assert (after["uid"], after["generation"]) == (before["uid"], before["generation"])
    text = json.dumps(space.get("pod", "chat")["metadata"]["managedFields"])
    assert f"{PREFIX}tflops-request" in text


@pytest.mark.usefixtures("applying")
def test_a_decision_for_a_workload_that_is_made_anew_starts_anew(space, pool, control_plane):
    owner = owning("Deployment", "chat", pod_of(pool, **ENROLLED))
    space.apply(owner).well()
    [pod] = running_pods(space, 1)
    first = workload_shows(space, "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
    decide(control_plane, space, "chat", {**RAISED, "epoch": 5})
    is_applied(space, epoch=5)

    space.kubectl("delete", "tfw", "chat").well()

    anew = workload_shows(
        space,
        "chat",
        lambda obj: (
            obj["metadata"]["uid"] != first["metadata"]["uid"]
            and obj["status"]["readyWorkers"] == 1
        ),
    )
    assert anew["spec"] == first["spec"]
    have(space, "30", "60", "6Gi", "12Gi", name=pod["metadata"]["name"])
    decide(control_plane, space, "chat", decision(amounts("5", "2Gi"), epoch=5))
    have(space, "5", "60", "2Gi", "12Gi", name=pod["metadata"]["name"])
