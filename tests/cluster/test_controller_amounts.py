"""Amounts of running workers follow decisions in place, on a real API server."""

from __future__ import annotations

import pytest

from autoscaler.api.names import API_VERSION, PAUSED, PREFIX
from autoscaler.errors import InvalidError
from autoscaler.kube.resource import WORKLOADS
from tests.cluster.gpu_pools import running_pool
from tests.cluster.spaces import annotation, owning
from tests.cluster.telling import (
    DEADLINE_S,
    condition_of,
    is_said,
    is_told,
    message_of,
    shows,
)
from tests.cluster.test_admission_in_force import switched
from tests.cluster.test_controller import ENROLLED, decide, pod_of, running_pods
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
    return shows(
        space,
        "tfw",
        "chat",
        lambda obj: (
            condition_of(obj, "DesiredApplied")["reason"] == reason
            and obj["status"]["applied"]["epoch"] == epoch
            and obj["status"]["applied"]["sequence"] == sequence
            and obj["status"]["applied"]["workers"] == workers
        ),
    )


def running(space, pool, **annotations):
    space.create(pod_of(pool, **annotations)).well()
    running_pods(space, 1)
    shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == 1)


@pytest.mark.usefixtures("applying")
def test_amounts_are_raised_and_lowered_and_books_and_events_follow(space, pool, control_plane):
    running(space, pool, **ENROLLED)
    uid = space.get("pod", "chat")["metadata"]["uid"]

    decide(control_plane, space, "chat", RAISED)
    have(space, "30", "60", "6Gi", "12Gi")
    is_applied(space)
    is_told(space, "TensorFusionWorkload", "ResourceScaledUp", "10 to 30")

    lower = decision(amounts("5", "2Gi"), amounts("10", "4Gi"), sequence=2)
    decide(control_plane, space, "chat", lower)
    have(space, "5", "10", "2Gi", "4Gi")
    is_applied(space, 2)
    is_told(space, "TensorFusionWorkload", "ResourceScaledDown", "30 to 5")

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
    shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
    decide(control_plane, space, "chat", RAISED)
    is_applied(space)
    later = {"nextStart": {"limits": {"vram": "6Gi"}}}
    decide(control_plane, space, "chat", {**RAISED, **later, "sequence": 2})
    is_applied(space, 2)
    have(space, "30", "60", "6Gi", "12Gi", name=pod["metadata"]["name"])

    space.kubectl("scale", "deployment", "chat", "--replicas=2").well()

    pods = running_pods(space, 2)
    assert sorted(map(in_force, pods)) == [
        ("30", "60", "6Gi", "12Gi"),
        ("30", "60", "6Gi", "6Gi"),
    ]
    is_applied(space, 2, workers=2)


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

    shown = shows(space, "tfw", "chat", lambda obj: "applied" not in obj["status"])
    assert "DesiredApplied" not in {each["type"] for each in shown["status"]["conditions"]}
    assert in_force(space.get("pod", "chat")) == ("30", "60", "6Gi", "12Gi")


@pytest.mark.usefixtures("applying")
def test_an_enrolment_that_its_user_takes_back_stops_the_decisions(space, pool, control_plane):
    running(space, pool, **ENROLLED)
    decide(control_plane, space, "chat", RAISED)
    is_applied(space)
    words = (f"{PREFIX}auto-requests-", f"{PREFIX}auto-limits-")
    space.kubectl("annotate", "pod", "chat", *words).well()
    shows(space, "tfw", "chat", lambda obj: "autoScalingConfig" not in obj["spec"])

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
    shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
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
    ("parts", "words"),
    [
        ({"requests": {"tflops": "30", "compute": "10"}}, "requests: Invalid value: tflops and"),
        (
            {"byGPUModel": {"A100": {"limits": {"tflops": "9", "compute": "1"}}}},
            "byGPUModel[A100].limits: Invalid value: tflops and compute exclude each other",
        ),
        ({"limits": {"vram": "-1"}}, "limits.vram"),
        ({"epoch": -1}, "epoch"),
    ],
)
def test_a_decision_of_nonsense_is_refused_by_the_definition_of_its_kind(
    parts, words, space, pool, control_plane
):
    running(space, pool, **ENROLLED)

    with pytest.raises(InvalidError) as refused:
        decide(control_plane, space, "chat", {"epoch": 1, "sequence": 1, **parts})

    assert words in str(refused.value)


@pytest.mark.usefixtures("applying")
def test_a_request_that_was_decided_above_its_limit_ends_at_the_limit(space, pool, control_plane):
    running(space, pool, **ENROLLED)
    decide(control_plane, space, "chat", decision({"tflops": "200"}, {"tflops": "25"}))
    have(space, "25", "25", "4Gi", "8Gi")


@pytest.mark.usefixtures("applying")
def test_a_bare_pod_that_is_applied_again_is_adjusted_again(space, pool, control_plane):
    manifest = pod_of(pool, **ENROLLED)
    space.apply(manifest).well()
    running_pods(space, 1)
    shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
    decide(control_plane, space, "chat", RAISED)
    have(space, "30", "60", "6Gi", "12Gi")
    before = is_applied(space)["metadata"]

    assert "pod/chat configured" in space.apply(manifest).well().out

    have(space, "30", "60", "6Gi", "12Gi")
    after = is_applied(space)["metadata"]
    assert (after["uid"], after["generation"]) == (before["uid"], before["generation"])


@pytest.mark.usefixtures("applying")
def test_a_decision_for_a_workload_that_is_made_anew_starts_anew(space, pool, control_plane):
    owner = owning("Deployment", "chat", pod_of(pool, **ENROLLED))
    space.apply(owner).well()
    [pod] = running_pods(space, 1)
    first = shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
    decide(control_plane, space, "chat", {**RAISED, "epoch": 5})
    is_applied(space, epoch=5)

    space.kubectl("delete", "tfw", "chat").well()

    anew = shows(
        space,
        "tfw",
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


@pytest.mark.usefixtures("applying")
def test_a_user_s_own_workload_enrols_its_pods_by_its_own_settings(space, pool, control_plane):
    config = {"autoSetRequests": {"enable": True}, "autoSetLimits": {"enable": True}}
    written = {
        "apiVersion": API_VERSION,
        "kind": WORKLOADS.kind,
        "metadata": {"name": "chat"},
        "spec": {"poolName": pool.name, "autoScalingConfig": config},
    }
    joining = {"workload": "chat", "generate_workload": "false"}
    space.apply(written, owning("Deployment", "web", pod_of(pool, **joining))).well()
    [pod] = running_pods(space, 1)
    shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == 1)

    decide(control_plane, space, "chat", RAISED)

    have(space, "30", "60", "6Gi", "12Gi", name=pod["metadata"]["name"])
    assert is_applied(space)["spec"]["autoScalingConfig"] == config
