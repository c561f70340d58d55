"""Pods that ask for a GPU, a typical one and a heavy one, and the objects that admission looks up.

The same objects stand in a real cluster or in a snapshot in memory.
"""

from __future__ import annotations

from typing import Any

from autoscaler.api.names import API_VERSION, ENABLED, IS_DEFAULT_POOL, PREFIX

NAMESPACE = "admission"
REPLICA_SET = "inference-service-7d5f9c6b4d"
WORKLOAD = PROFILE = "inference-service"
CONTAINERS, VARIABLES, MOUNTS, RULES, QUOTAS = 8, 60, 20, 20, 5
"""Of the heavy pod, and of what it meets."""
ENROLLED = {"autoSetRequests": {"enable": True}, "autoSetLimits": {"enable": True}}
LARGE = {"tflops": "200", "vram": "64Gi"}
DECIDED = {"requests": {"tflops": "28", "vram": "14Gi"}, "limits": {"tflops": "60", "vram": "16Gi"}}


def typical_pod(owner_uid: str) -> dict[str, Any]:
    """Return a pod of a Deployment: an inference server whose workload is autoscaled."""
    server = {
        "name": "server",
        "image": "images.example.com/ml/inference-server:2.4.1",
        "args": ["--model=/models/llama-3-8b", "--port=8000"],
        "ports": [{"containerPort": 8000}],
        "env": [{"name": f"SETTING_{number}", "value": "value"} for number in range(8)],
        "resources": {
            "requests": {"cpu": "2", "memory": "16Gi"},
            "limits": {"memory": "16Gi"},
        },
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}},
        "volumeMounts": [{"name": "models", "mountPath": "/models", "readOnly": True}],
    }
    volumes = [{"name": "models", "emptyDir": {}}]
    return _pod([server], volumes, owner_uid, {"workload-profile": PROFILE, "tflops-request": "25"})


def heavy_pod(owner_uid: str) -> dict[str, Any]:
    """Return a pod that is as large as pods get: every container of it uses the GPU."""
    names = [f"container-{number}" for number in range(CONTAINERS)]
    volumes = [{"name": f"volume-{number}", "emptyDir": {}} for number in range(MOUNTS)]
    mounts = [{"name": each["name"], "mountPath": f"/mnt/{each['name']}"} for each in volumes]
    variables = [{"name": f"SETTING_{number}", "value": "x" * 40} for number in range(VARIABLES)]
    preload = {"name": "LD_PRELOAD", "value": "/usr/lib/libjemalloc.so"}
    containers = [
        {
            "name": name,
            "image": f"images.example.com/ml/{name}:1",
            "env": [*variables, preload],
            "resources": {"limits": {"cpu": "1", "memory": "4Gi", "nvidia.com/gpu": "1"}},
            "volumeMounts": mounts,
        }
        for name in names
    ]
    stated = {
        "workload-profile": PROFILE,
        "inject-container": ",".join(names),
        "gpu-count": "2",
        "tflops-request": "25",
        "tflops-limit": "100",
        "vram-request": "10Gi",
        "vram-limit": "32Gi",
        "auto-requests": "true",
        "auto-limits": "true",
    }
    return _pod(containers, volumes, owner_uid, stated)


def pool(rules: int = 0) -> dict[str, Any]:
    """Return the default pool; with rules, the last of which selects the pods."""
    selected = [{"app": f"service-{number}"} for number in range(1, rules)] + [{"app": WORKLOAD}]
    return {
        "apiVersion": API_VERSION,
        "kind": "GPUPool",
        "metadata": {"name": "default-pool", "annotations": {IS_DEFAULT_POOL: "true"}},
        "spec": {
            "defaultUsingLocalGPU": True,
            "rules": [
                {
                    "name": f"rule-{number}",
                    "podSelector": {"matchLabels": labels},
                    "autoScalingConfig": ENROLLED,
                }
                for number, labels in enumerate(selected[-rules:] if rules else [])
            ],
        },
    }


def profile() -> dict[str, Any]:
    """Return the profile that both pods name."""
    sizes = {"requests": {"tflops": "30", "vram": "12Gi"}, "limits": LARGE}
    return _namespaced(
        "WorkloadProfile",
        PROFILE,
        spec={"resources": sizes, "qos": "medium", "autoScalingConfig": ENROLLED},
    )


def workload() -> dict[str, Any]:
    """Return the workload of both pods, for which something was decided."""
    desired = {"epoch": 3, "sequence": 41, "time": "2026-01-01T00:00:00Z", **DECIDED}
    spec = {"autoScalingConfig": ENROLLED, "qos": "medium"}
    return _namespaced(
        "TensorFusionWorkload", WORKLOAD, spec=spec, status={"desiredResources": desired}
    )


def quotas(count: int = QUOTAS) -> tuple[dict[str, Any], ...]:
    """Return quotas of the namespace, none of which forbids anything."""
    single = {"maxRequests": LARGE, "maxLimits": LARGE, "maxGPUCount": 8}
    return tuple(
        _namespaced("GPUResourceQuota", f"quota-{number}", spec={"single": single})
        for number in range(count)
    )


def replica_set() -> dict[str, Any]:
    """Return the owner of both pods, which a Deployment owns; it makes no pods itself."""
    labels = {"app": WORKLOAD}
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": WORKLOAD,
        "uid": "8c2f0a5e-0000-4000-8000-000000000000",
        "controller": True,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": REPLICA_SET, "namespace": NAMESPACE, "ownerReferences": [owner]},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "server", "image": "server"}]},
            },
        },
    }


def _pod(
    containers: list[dict[str, Any]],
    volumes: list[dict[str, Any]],
    owner_uid: str,
    stated: dict[str, str],
) -> dict[str, Any]:
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": REPLICA_SET,
        "uid": owner_uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{REPLICA_SET}-",
            "namespace": NAMESPACE,
            "labels": {"app": WORKLOAD, "team": "ml", ENABLED: "true"},
            "annotations": {
                "prometheus.io/scrape": "true",
                **{f"{PREFIX}{key}": text for key, text in stated.items()},
            },
            "ownerReferences": [owner],
        },
        "spec": {"containers": containers, "volumes": volumes},
    }


def _namespaced(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, **fields}
