"""Many workloads on a real API server, each with a full status: what benchmarks list and change.

Who reads them is not here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import urllib3

from autoscaler.api.names import API_VERSION, GROUP, Condition, FieldManager
from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import NAMESPACES, WORKLOADS
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import install_definitions
from tests.components.processes import until

NAMESPACE = "benchmark"
CATCH_UP_S = 300.0
PUTS = 100
"""In one transaction; etcd takes 128."""


def fill(plane: ControlPlane, workloads: int) -> None:
    """Make the workloads of a large cluster, with what each process writes into their status.

    The first one is written through the API server, which would take minutes for all of them; the
    others are copies of it, put into etcd beside it.
    """
    install_definitions(plane)
    api = ApiServer.from_environment(kubeconfig=plane.admin_kubeconfig, user_agent="filling")
    api.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
    uid = create(api, name_of(0))["metadata"]["uid"]
    key = f"/registry/{GROUP}/{WORKLOADS.plural}/{NAMESPACE}/"
    stored = etcd(plane, "range", {"key": coded(f"{key}{name_of(0)}".encode())})
    original = base64.b64decode(stored["kvs"][0]["value"])
    for numbers in batched(range(1, workloads), PUTS):
        puts = [
            {"key": coded(f"{key}{name_of(number)}".encode()), "value": coded(copy)}
            for number in numbers
            for copy in [copied(original, uid, number)]
        ]
        etcd(plane, "txn", {"success": [{"requestPut": put} for put in puts]})
    until(
        lambda: has_caught_up(api, workloads),
        what="the API server has seen all workloads",
        deadline_s=CATCH_UP_S,
    )
    api.close()


def has_caught_up(api: ApiServer, workloads: int) -> bool:
    """Return whether the API server can list all; one that is behind its etcd refuses some page."""
    try:
        return sum(len(items) for items, _ in api.pages(WORKLOADS)) == workloads
    except ApiUnavailableError:
        return False


def copied(original: bytes, uid: str, number: int) -> bytes:
    """Return a stored workload under another name and uid, each as long as before."""
    return original.replace(name_of(0).encode(), name_of(number).encode()).replace(
        uid.encode(), f"{uid[:-5]}{number:05}".encode()
    )


def name_of(number: int) -> str:
    return f"inference-service-{number:05}"


def create(api: ApiServer, name: str) -> dict[str, Any]:
    own = {"apiVersion": API_VERSION, "kind": "TensorFusionWorkload"}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": name, "team": "ml"}}
    created = api.create(WORKLOADS, {**own, "metadata": metadata, "spec": SPEC})
    named = {**own, "metadata": {"name": name, "namespace": NAMESPACE}}
    for manager, status in STATUS_OF.items():
        api.apply(
            WORKLOADS, {**named, "status": status}, field_manager=manager, subresource="status"
        )
    return created


def etcd(plane: ControlPlane, verb: str, question: Mapping[str, object]) -> Any:
    """Ask the etcd of a control plane by its JSON interface."""
    answer = urllib3.request("POST", f"{plane.etcd_url}/v3/kv/{verb}", json=question)
    if answer.status != 200:
        raise AssertionError(f"etcd: {verb}: {answer.data!r}")
    return answer.json()


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def batched(numbers: range, size: int) -> Iterator[range]:
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


AMOUNTS = {"tflops": "31.5", "vram": "12Gi"}
SIZES = {"requests": AMOUNTS, "limits": {"tflops": "80", "vram": "16Gi"}}
TIME = "2026-01-01T00:00:00Z"
SPEC = {
    "replicas": 2,
    "poolName": "default-pool",
    "resources": SIZES,
    "qos": "medium",
    "isLocalGPU": True,
    "gpuModel": "A100",
    "gpuCount": 1,
    "autoScalingConfig": {
        "autoSetRequests": {
            "enable": True,
            "targetResource": "all",
            "percentileForAutoRequests": "0.95",
            "evaluationPeriod": "1h",
            "aggregationPeriod": "1m",
        },
        "autoSetLimits": {"enable": True, "targetResource": "all", "maxRatioToRequests": "5"},
        "autoSetReplicas": {"enable": True, "targetTFlopsOfLimits": "0.7", "maxReplicas": 10},
    },
}


def condition(kind: str) -> dict[str, object]:
    return {
        "type": kind,
        "status": "True",
        "reason": "AsItShouldBe",
        "message": "Every worker has what was decided for it.",
        "lastTransitionTime": TIME,
    }


STATUS_OF = {
    FieldManager.CONTROLLER: {
        "phase": "Running",
        "workerCount": 2,
        "readyWorkers": 2,
        "replicas": 2,
        "readyReplicas": 2,
        "selector": "tensor-fusion.ai/workload=inference-service",
        "applied": {"epoch": 3, "sequence": 41, "workers": 2},
        "conditions": [condition(Condition.READY), condition(Condition.DESIRED_APPLIED)],
    },
    FieldManager.AUTOSCALER: {
        "recommendation": SIZES,
        "desiredResources": {"epoch": 3, "sequence": 41, "time": TIME, **SIZES},
        "guard": {"lastChange": TIME, "previous": SIZES, "changesToday": 1},
        "conditions": [
            condition(Condition.RECOMMENDATION_PROVIDED),
            condition(Condition.RESOURCE_UPDATE),
        ],
    },
}
