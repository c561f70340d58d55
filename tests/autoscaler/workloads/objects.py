"""Objects of a cluster as the API server returns them, short: pods, nodes, GPUs, pools and so on.

Objects of a kind differ by their name; ``metadata`` and ``spec`` take further fields.
"""

from __future__ import annotations

from typing import Any

from autoscaler.api.names import (
    API_VERSION,
    COMPONENT,
    ENABLED,
    GPU_COUNT,
    GPU_IDS,
    GPU_PEAK_TFLOPS,
    GPU_PEAK_VRAM,
    GPU_POOL,
    INJECT_CONTAINER,
    IS_DEFAULT_POOL,
    IS_LOCAL_GPU,
    MANAGED_BY,
    MODE,
    PLACEMENT_GATE,
    POOL_LABEL,
    PREFIX,
    QOS,
    SOURCES,
    WORKLOAD,
    WORKLOAD_LABEL,
    Component,
)

TEAM = "team"
POOL = "pool"
HOSTNAME = "kubernetes.io/hostname"
IN_POOL = {"pool": POOL}
"""Label of nodes that ``pool()`` selects."""
CREATED = "2026-01-01T00:00:00Z"
GIB = 2**30
AMOUNTS = {"tflops-request": "10", "tflops-limit": "20", "vram-request": "4Gi", "vram-limit": "8Gi"}
"""What a worker requests and may use, unless its test says otherwise."""

_versions = iter(range(1, 10**9))


def made(kind: str, name: str, *, api_version: str = API_VERSION, **fields: Any) -> dict[str, Any]:
    """Return an object of the namespace ``team``; ``namespace=""`` for kinds without.

    ``metadata`` adds to its metadata, which has a uid and a new resourceVersion.
    """
    namespace = fields.pop("namespace", TEAM)
    elsewhere = f"-in-{namespace}" if namespace not in {"", TEAM} else ""
    metadata = {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "uid": f"uid-of-{kind.lower()}-{name}{elsewhere}",
        "resourceVersion": str(next(_versions)),
        "generation": 1,
        "creationTimestamp": CREATED,
        **fields.pop("metadata", {}),
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def pod(
    name: str = "job",
    *,
    namespace: str = TEAM,
    requests: dict[str, str] | None = None,
    phase: str = "Pending",
    metadata: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a pod with one container; ``requests`` are the container's, the rest is its spec."""
    resources = {"resources": {"requests": requests}} if requests else {}
    containers = [{"name": "main", "image": "cuda", **resources}]
    return made(
        "Pod",
        name,
        api_version="v1",
        namespace=namespace,
        metadata=metadata or {},
        spec={"containers": containers, **spec},
        status={"phase": phase},
    )


def worker(
    name: str = "job",
    *,
    workload: str = "job",
    pool: str = POOL,
    count: int = 1,
    qos: str = "medium",
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    gates: tuple[str, ...] = (PLACEMENT_GATE,),
    metadata: dict[str, Any] | None = None,
    amounts: dict[str, str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return an admitted embedded worker that waits for its GPUs.

    ``amounts`` (statement key to quantity) are in force and declared; ``annotations`` win over
    all that admission writes, and None as a value takes a key away.
    """
    amounts = AMOUNTS if amounts is None else amounts
    written = {
        **{f"{PREFIX}{key}": quantity for key, quantity in amounts.items()},
        **{f"{PREFIX}declared-{key}": quantity for key, quantity in amounts.items()},
        SOURCES: "{}",
        WORKLOAD: workload,
        GPU_POOL: pool,
        QOS: qos,
        GPU_COUNT: str(count),
        INJECT_CONTAINER: "main",
        IS_LOCAL_GPU: "true",
        MODE: "embedded",
        **(annotations or {}),
    }
    marks = {
        ENABLED: "true",
        COMPONENT: str(Component.WORKER),
        WORKLOAD_LABEL: workload,
        POOL_LABEL: pool,
        **(labels or {}),
    }
    more = {"schedulingGates": [{"name": gate} for gate in gates]} if gates else {}
    return pod(
        name,
        metadata={
            "annotations": {key: value for key, value in written.items() if value is not None},
            "labels": marks,
            **(metadata or {}),
        },
        **more,
        **fields,
    )


def placed(
    name: str = "job",
    *,
    gpus: tuple[str, ...] = ("GPU-1",),
    node: str = "n1",
    is_bound: bool = True,
    peak_tflops: str = "100",
    peak_vram: str = str(80 * GIB),
    annotations: dict[str, str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return a worker that has its GPUs, given by UUID, and runs unless it is not bound."""
    written = {
        GPU_IDS: ",".join(gpus),
        GPU_PEAK_TFLOPS: peak_tflops,
        GPU_PEAK_VRAM: peak_vram,
        **(annotations or {}),
    }
    bound = {"nodeName": node, "phase": "Running"} if is_bound else {}
    selector = {HOSTNAME: node, **fields.pop("nodeSelector", {})}
    return worker(
        name,
        count=fields.pop("count", len(gpus)),
        annotations=written,
        gates=fields.pop("gates", ()),
        nodeSelector=selector,
        **{**bound, **fields},
    )


def node(
    name: str = "n1",
    *,
    labels: dict[str, str] | None = None,
    allocatable: dict[str, str] | None = None,
    is_ready: bool = True,
    metadata: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a ready node of the pool with 16 CPUs, 64 GiB of memory and 110 pods."""
    return made(
        "Node",
        name,
        api_version="v1",
        namespace="",
        metadata={"labels": {HOSTNAME: name, **IN_POOL, **(labels or {})}, **(metadata or {})},
        spec=spec,
        status={
            "allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110", **(allocatable or {})},
            "conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}],
        },
    )


def gpu(
    uuid: str = "GPU-1",
    *,
    node: str = "n1",
    index: int = 0,
    tflops: str = "100",
    vram: str = "80Gi",
    gpu_model: str = "NVIDIA A100-SXM4-80GB",
    model: str = "A100",
    vendor: str = "NVIDIA",
    phase: str = "Running",
    metadata: dict[str, Any] | None = None,
    **status: Any,
) -> dict[str, Any]:
    """Return a GPU as the agent of its node writes it."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": f"uid-of-node-{node}"}
    return made(
        "GPU",
        uuid.lower(),
        namespace="",
        metadata={
            "labels": {MANAGED_BY: node},
            "ownerReferences": [owner],
            **(metadata or {}),
        },
        status={
            "phase": phase,
            "vendor": vendor,
            "gpuModel": gpu_model,
            "model": model,
            "uuid": uuid,
            "index": index,
            "nodeSelector": {HOSTNAME: node},
            "capacity": {"tflops": tflops, "vram": vram},
            **status,
        },
    )


def pool(
    name: str = POOL,
    *,
    is_default: bool = True,
    created: str = CREATED,
    node_selector: dict[str, str] | None = None,
    metadata: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a pool; without ``node_selector`` it has the nodes that ``node()`` returns."""
    return made(
        "GPUPool",
        name,
        namespace="",
        metadata={
            "creationTimestamp": created,
            **({"annotations": {IS_DEFAULT_POOL: "true"}} if is_default else {}),
            **(metadata or {}),
        },
        spec={"nodeSelector": IN_POOL if node_selector is None else node_selector, **spec},
    )


def quota(name: str = "quota", *, namespace: str = TEAM, **spec: Any) -> dict[str, Any]:
    """Return a quota; ``total`` and ``single`` are parts of its spec."""
    return made("GPUResourceQuota", name, namespace=namespace, spec=spec)


def workload(
    name: str = "job",
    *,
    namespace: str = TEAM,
    status: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a workload of the pool ``pool``."""
    return made(
        "TensorFusionWorkload",
        name,
        namespace=namespace,
        metadata=metadata or {},
        spec={"poolName": POOL, **spec},
        status=status or {},
    )


def owned(obj: dict[str, Any], owner: dict[str, Any]) -> dict[str, Any]:
    """Return an object whose controller is ``owner``."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": [reference]}}
