"""The API server takes the definitions, keeps what is documented and refuses what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from autoscaler.api.kinds import KINDS
from tests.autoscaler.api.samples import every_setting
from tests.cluster.definitions import DEPLOY, created, custom_object, install_definitions
from tests.components.processes import until

EXAMPLES = sorted((DEPLOY / "examples").glob("*.yaml"))
MANAGERS = ("tensor-fusion-controller", "tensor-fusion-autoscaler")


@pytest.fixture(scope="module", autouse=True)
def _definitions(control_plane):
    install_definitions(control_plane)


def apply_status(plane, namespace, obj, status, manager):
    """Apply a part of a workload's status as one of its writers does."""
    partial = {**{key: obj[key] for key in ("apiVersion", "kind")}, "status": status}
    partial["metadata"] = {"name": obj["metadata"]["name"]}
    return plane.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--subresource=status"),
        *("--field-manager", manager, "--namespace", namespace, "-f", "-", "-o", "json"),
        stdin=json.dumps(partial),
    ).json["status"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_a_definition_has_nothing_that_the_server_complains_about(control_plane, kind):
    found = control_plane.kubectl("get", "crd", kind.full_name, "-o", "json").json
    conditions = {item["type"]: item["status"] for item in found["status"]["conditions"]}

    assert conditions.get("NamesAccepted") == "True"
    assert conditions.get("Established") == "True"
    assert "NonStructuralSchema" not in conditions
    assert "KubernetesAPIApprovalPolicyConformant" not in conditions


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_applies_unchanged_and_nothing_of_it_is_lost(control_plane, namespace, path):
    written = yaml.safe_load(path.read_text())
    kept = control_plane.kubectl("apply", "--namespace", namespace, "-f", path, "-o", "json").json

    control_plane.kubectl("delete", "--namespace", namespace, "-f", path, "--wait=false").well()
    if written["kind"] == "Deployment":
        template = written["spec"]["template"]["metadata"]
        assert template.items() <= kept["spec"]["template"]["metadata"].items()
    else:
        assert kept["spec"] == written["spec"]


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("kind", ["WorkloadProfile", "TensorFusionWorkload"])
def test_every_documented_setting_survives_under_every_name(control_plane, namespace, kind, turn):
    spec = {"autoScalingConfig": every_setting(turn=turn)}

    assert created(control_plane, namespace, custom_object(spec, kind))["spec"] == spec


def test_every_field_of_a_profile_survives(control_plane, namespace):
    spec = {
        "replicas": 3,
        "poolName": "inference",
        "resources": {
            "requests": {"tflops": 5, "vram": "3.5Gi"},
            "limits": {"tflops": "1e3", "vram": "4Gi"},
        },
        "qos": "critical",
        "isLocalGPU": True,
        "noStandaloneWorkerMode": True,
        "standaloneWorkerMode": False,
        "isolation": "soft",
        "gpuModel": "A100",
        "gpuCount": 2,
        "gpuIndices": [0, 3],
        "vendor": "NVIDIA",
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"any": [1]}},
        "workerPodTemplate": {"spec": {"containers": [{"name": "worker"}]}},
        "gangScheduling": {"minMembers": 2, "timeout": "10m", "mode": "Strict"},
        "partitionTemplateId": "1g.24gb",
        "sidecarWorker": True,
    }

    assert created(control_plane, namespace, custom_object(spec))["spec"] == spec


def test_the_server_sets_no_default(control_plane, namespace):
    assert created(control_plane, namespace, custom_object({}))["spec"] == {}


def test_kubectl_shows_what_an_operator_wants_to_know(control_plane, namespace):
    spec = {
        "poolName": "inference",
        "qos": "high",
        "resources": {"requests": {"tflops": 5, "vram": "3Gi"}, "limits": {"tflops": "15"}},
    }
    obj = created(control_plane, namespace, custom_object(spec, "TensorFusionWorkload"))
    apply_status(
        control_plane,
        namespace,
        obj,
        {"phase": "Running", "workerCount": 2, "readyWorkers": 1},
        MANAGERS[0],
    )
    apply_status(
        control_plane,
        namespace,
        obj,
        {"recommendation": {"requests": {"tflops": "7"}}},
        MANAGERS[1],
    )
    shown = control_plane.kubectl("get", "tfw", "--namespace", namespace).well().out
    head, row = shown.splitlines()

    assert head.split("  ")[0] == "NAME"
    assert row.split()[:9] == [
        obj["metadata"]["name"], "Running", "2", "1", "inference", "high", "5", "3Gi", "15",
    ]  # fmt: skip
    assert row.split()[9] == "7"


def test_the_pool_and_the_node_of_a_gpu_are_shown(control_plane):
    gpu = {
        "apiVersion": "tensor-fusion.ai/v1",
        "kind": "GPU",
        "metadata": {
            "name": "gpu-0a1b",
            "labels": {
                "tensor-fusion.ai/gpupool": "inference",
                "tensor-fusion.ai/managed-by": "node-7",
            },
        },
    }
    control_plane.kubectl("create", "-f", "-", stdin=json.dumps(gpu)).well()
    shown = control_plane.kubectl("get", "gpu", "gpu-0a1b").well().out
    control_plane.kubectl("delete", "gpu", "gpu-0a1b").well()

    assert shown.splitlines()[1].split()[1:3] == ["inference", "node-7"]


def test_a_workload_is_scaled_like_a_deployment(control_plane, namespace):
    obj = created(control_plane, namespace, custom_object({"replicas": 1}, "TensorFusionWorkload"))
    name = obj["metadata"]["name"]
    apply_status(
        control_plane, namespace, obj, {"workerCount": 1, "selector": "app=chat"}, MANAGERS[0]
    )

    control_plane.kubectl("scale", "tfw", name, "--namespace", namespace, "--replicas=3").well()
    scale = control_plane.kubectl(
        "get", "tfw", name, "--namespace", namespace, "--subresource=scale", "-o", "json"
    ).json

    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 1, "selector": "app=chat"}


def test_two_writers_keep_their_conditions_and_their_parts_of_the_status(control_plane, namespace):
    obj = created(control_plane, namespace, custom_object({}, "TensorFusionWorkload"))

    def condition(name, reason):
        return {
            "type": name,
            "status": "True",
            "reason": reason,
            "message": "",
            "lastTransitionTime": "2026-11-25T12:00:00Z",
        }

    ready, provided = condition("Ready", "WorkloadReady"), condition("RecommendationProvided", "Ok")
    amounts = {"requests": {"tflops": "7"}, "limits": {"tflops": "9"}}
    desired = {
        "epoch": 3,
        "sequence": 12,
        "time": "2026-11-25T12:00:00Z",
        **amounts,
        "nextStart": {"requests": {"vram": "2Gi"}},
        "byGPUModel": {"NVIDIA L4": amounts},
    }
    guard = {
        "lastChange": "2026-11-25T12:00:00Z",
        "previous": amounts,
        "watchedUntil": "2026-11-25T12:30:00Z",
        "noDecreaseUntil": "2026-11-26T12:00:00Z",
        "answeredUntil": "2026-11-26T12:00:00Z",
        "changesToday": 2,
    }
    theirs = {
        "phase": "Running",
        "workerCount": 2,
        "readyWorkers": 2,
        "replicas": 2,
        "readyReplicas": 2,
        "observedGeneration": 1,
        "podTemplateHash": "abc",
        "selector": "app=chat",
        "workerStatuses": [{"workerName": "chat-0", "workerPhase": "Running", "workerPort": 1234}],
        "owners": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat", "uid": "u-1"}],
        "effective": {"qos": {"value": "high", "source": "annotation"}},
        "applied": {
            "epoch": 3,
            "sequence": 12,
            "workers": 1,
            "capped": [{"worker": "chat-0", "reason": "NoCapacity", "message": "card is full"}],
        },
        "appliedRecommendedReplicas": 1,
    }
    own = {"recommendation": amounts, "desiredResources": desired, "guard": guard}

    apply_status(control_plane, namespace, obj, {**theirs, "conditions": [ready]}, MANAGERS[0])
    kept = apply_status(
        control_plane, namespace, obj, {**own, "conditions": [provided]}, MANAGERS[1]
    )

    assert kept == {**theirs, **own, "conditions": [ready, provided]}

    left = apply_status(control_plane, namespace, obj, {"conditions": [provided]}, MANAGERS[1])
    assert left == {**theirs, "conditions": [ready, provided]}


def test_a_reason_is_one_word(control_plane, namespace):
    obj = created(control_plane, namespace, custom_object({}, "TensorFusionWorkload"))
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "no GPU is free",
        "message": "",
        "lastTransitionTime": "2026-11-25T12:00:00Z",
    }
    patch = json.dumps({"status": {"conditions": [condition]}})
    ended = control_plane.kubectl(
        *("patch", "tfw", obj["metadata"]["name"], "--namespace", namespace),
        *("--subresource=status", "--type=merge", "--patch", patch),
    )

    assert ended.code != 0
    assert "status.conditions[0].reason" in ended.err


@pytest.mark.parametrize(
    ("path", "meaning"),
    [
        ("workloadprofile.spec.qos", "Quality of service level"),
        (
            "workloadprofile.spec.autoScalingConfig.autoSetRequests.extraBufferRatio",
            "Margin on top of the percentile",
        ),
        (
            "tfw.spec.autoScalingConfig.autoSetResources.targetTflopsPercentile",
            "Older name of targetComputePercentile",
        ),
        ("tfw.status.desiredResources.nextStart", "What pods get that start from now on"),
        ("gpool.spec.placement.mode", "CompactFirst"),
    ],
)
def test_kubectl_explains_a_field(control_plane, path, meaning):
    def explained():
        ended = control_plane.kubectl("explain", path)
        return " ".join(ended.out.split()) if ended.code == 0 else ""

    assert meaning in until(explained, what=f"{path} is published")


def test_the_command_prints_what_is_shipped(control_plane, tfa):
    printed = tfa("crds").out
    ended = control_plane.kubectl("diff", "-f", "-", stdin=printed)

    assert ended.code == 0, ended.out or ended.err
    assert list(yaml.safe_load_all(printed)) == [
        yaml.safe_load(Path(DEPLOY / "crds" / f"{kind.plural}.yaml").read_text()) for kind in KINDS
    ]
