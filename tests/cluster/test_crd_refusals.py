"""The API server refuses what is wrong in an object of ours, and says what is allowed."""

from __future__ import annotations

import json

import pytest

from tests.cluster.definitions import created, custom_object, install_definitions

CURRENT = {"enable": True, "targetResource": "all"}


@pytest.fixture(scope="module", autouse=True)
def _definitions(control_plane):
    install_definitions(control_plane)


def refusal(plane, namespace, obj):
    """Return why the server does not create an object."""
    ended = plane.kubectl(
        "create", "--namespace", namespace, "-f", "-", "--dry-run=server", stdin=json.dumps(obj)
    )
    assert ended.code != 0, f"admitted: {obj}"
    return ended.err


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"resources": {"requests": {"tflops": "5GB"}}},
            "'5GB' is not valid; allowed: a Kubernetes quantity, 0 or more, such as 12, 500m, 1.5k",
        ),
        (
            {"resources": {"limits": {"vram": "-1Gi"}}},
            "'-1Gi' is not valid; allowed: a Kubernetes",
        ),
        ({"resources": {"limits": {"vram": -1}}}, "'-1' is not valid; allowed: a Kubernetes"),
        ({"resources": {"limits": {"vram": ""}}}, "'' is not valid; allowed: a Kubernetes"),
        (
            {"resources": {"requests": {"tflops": 20}, "limits": {"tflops": "1500m"}}},
            "requests.tflops (20) is above limits.tflops (1500m)",
        ),
        (
            {"resources": {"requests": {"vram": "4Gi"}, "limits": {"vram": "4G"}}},
            "requests.vram (4Gi) is above limits.vram (4G)",
        ),
        ({"resources": {"requests": {"compute": 101}}}, "allowed: 0 to 100 (percent of one GPU)"),
        (
            {"resources": {"requests": {"compute": "10", "tflops": "1"}}},
            "tflops and compute exclude each other",
        ),
        ({"gpuCount": 0}, "spec.gpuCount in body should be greater than or equal to 1"),
        ({"gpuCount": 129}, "spec.gpuCount in body should be less than or equal to 128"),
        ({"gpuCount": "two"}, 'spec.gpuCount in body must be of type integer: "string"'),
        ({"qos": "superb"}, 'supported values: "low", "medium", "high", "critical"'),
        ({"isolation": "hard"}, 'supported values: "shared", "soft"'),
        ({"gpuIndices": [1, 1]}, "spec.gpuIndices[1]: Duplicate value: 1"),
        ({"replicas": -1}, "spec.replicas in body should be greater than or equal to 0"),
        ({"gangScheduling": {"minMembers": 1}}, "minMembers is 1; allowed: 0 (no gang) or 2"),
        (
            {"replicas": 2, "gangScheduling": {"minMembers": 3}},
            "gangScheduling.minMembers is above replicas",
        ),
        (
            {"noStandaloneWorkerMode": True, "standaloneWorkerMode": True},
            "noStandaloneWorkerMode and standaloneWorkerMode are opposites",
        ),
        ({"gpucount": 2}, 'unknown field "spec.gpucount"'),
    ],
)
def test_a_wrong_field_is_refused_with_what_is_allowed(control_plane, namespace, spec, message):
    said = refusal(control_plane, namespace, custom_object(spec))

    assert message in said
    assert "spec" in said


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"autoSetRequests": {"evaluationPeriod": 30}},
            "'30' is not valid; allowed: a duration from 10s to 24h0m0s, such as 90s, 5m, 1h30m",
        ),
        (
            {"autoSetRequests": {"evaluationPeriod": "5 minutes"}},
            'evaluationPeriod: Invalid value: "5 minutes"',
        ),
        (
            {"autoSetRequests": {"percentileForAutoRequests": "0,95"}},
            'percentileForAutoRequests: Invalid value: "0,95"',
        ),
        ({"autoSetRequests": {"extraBufferRatio": -1}}, "greater than or equal to 0"),
        ({"autoSetRequests": {"extraBufferRatio": True}}, "extraBufferRatio"),
        ({"autoSetRequests": {"extraBufferRatio": {"a": 1}}}, "extraBufferRatio"),
        ({"autoSetRequests": {"enable": "true"}}, "must be of type boolean"),
        ({"autoSetResources": {"targetResource": "cpu"}}, '"compute", "vram", "all", "tflops"'),
        ({"autoSetReplicas": {"minReplicas": 0}}, "greater than or equal to 1"),
        (
            {"autoSetReplicas": {"minReplicas": 3, "maxReplicas": 2}},
            "minReplicas is above maxReplicas",
        ),
        (
            {"autoSetLimits": {"minAllowed": {"vram": "3Gi"}, "maxAllowed": {"vram": 1}}},
            "minAllowed.vram (3Gi) is above maxAllowed.vram (1)",
        ),
        (
            {"cronScalingRules": [{"desiredResources": {"requests": {"tflops": "lots"}}}]},
            "cronScalingRules[0].desiredResources.requests.tflops",
        ),
        (
            {"cronScalingRules": [{"desiredResources": {"requests": {"tflops": "-1"}}}]},
            "cronScalingRules[0].desiredResources.requests.tflops",
        ),
        (
            {"cronScalingRules": [{"desiredResources": {"requests": {"tflops": -1}}}]},
            "greater than or equal to 0",
        ),
        ({"scaleToZero": {"autoFreeze": [{"freezeToMemTTL": 5}]}}, "less than or equal to 0"),
        ({"externalScaler": {"url": "ftp://scaler"}}, "externalScaler.url"),
        ({"autoSetRequest": {}}, 'unknown field "spec.autoScalingConfig.autoSetRequest"'),
    ],
)
def test_a_wrong_setting_is_refused(control_plane, namespace, config, message):
    obj = custom_object({"autoScalingConfig": config})

    assert message in refusal(control_plane, namespace, obj)


@pytest.mark.parametrize(
    ("first", "dimensions"),
    [
        ({"autoSetRequests": {"enable": True}}, ["compute", "vram"]),
        ({"autoSetRequests": {"enable": True, "targetResource": "vram"}}, ["vram"]),
        ({"autoSetLimits": {"enable": True, "targetResource": "tflops"}}, ["compute"]),
        ({"autoSetLimits": {"enable": True, "targetResource": ""}}, ["compute", "vram"]),
    ],
)
def test_both_generations_for_one_resource_are_refused(control_plane, namespace, first, dimensions):
    [block] = first
    said = refusal(
        control_plane,
        namespace,
        custom_object({"autoScalingConfig": {**first, "autoSetResources": CURRENT}}),
    )

    expected = {
        f"autoScalingConfig.autoSetResources and autoScalingConfig.{block} both set {dimension}"
        for dimension in dimensions
    }
    assert said.count(" both set ") == len(expected)
    assert all(part in said for part in expected)


@pytest.mark.parametrize(
    "config",
    [
        {"autoSetResources": CURRENT, "autoSetRequests": {"enable": False}},
        {"autoSetResources": {"enable": True}, "autoSetRequests": {"enable": True}},
        {
            "autoSetResources": {"enable": True, "targetResource": "vram"},
            "autoSetLimits": {"enable": True, "targetResource": "compute"},
        },
        {"autoSetResources": CURRENT, "autoSetReplicas": {"enable": True}},
        {"autoSetReplicas": {"scaleUpCoolDownTime": 0}},
        {"autoSetRequests": {"percentileForAutoRequests": "", "targetResource": ""}},
    ],
)
def test_what_does_not_contradict_is_kept(control_plane, namespace, config):
    spec = {"autoScalingConfig": config}

    assert created(control_plane, namespace, custom_object(spec))["spec"] == spec


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        (
            "GPUResourceQuota",
            {
                "single": {
                    "maxRequests": {"tflops": "10"},
                    "defaultRequests": {"tflops": "20"},
                }
            },
            "defaultRequests.tflops (20) is above maxRequests.tflops (10)",
        ),
        ("GPUResourceQuota", {"allowedQoS": ["best"]}, 'Unsupported value: "best"'),
        ("GPUResourceQuota", {"total": {"alertThresholdPercent": 101}}, "equal to 100"),
        ("GPUResourceQuota", {"single": {"maxGPUCount": 0}}, "equal to 1"),
        (
            "GPUPool",
            {"capacityConfig": {"oversubscription": {"tflopsOversellRatio": "50"}}},
            "allowed: 100 (percent) or more",
        ),
        ("GPUPool", {"placement": {"mode": "Random"}}, '"CompactFirst", "LowLoadFirst"'),
        ("GPUPool", {"rules": [{"name": "a"}, {"name": "a"}]}, "Duplicate value"),
        ("TensorFusionConnection", {}, "spec.workloadName: Required value"),
    ],
)
def test_a_wrong_object_of_another_kind_is_refused(control_plane, namespace, kind, spec, message):
    assert message in refusal(control_plane, namespace, custom_object(spec, kind))
