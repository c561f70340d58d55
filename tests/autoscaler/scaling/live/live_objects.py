"""Objects of a cluster as a live autoscaler sees them, short; beside those of the controller."""

from autoscaler.api.names import GENERATED_FROM, PAUSED, POOL_LABEL
from autoscaler.kube.resource import HPAS
from tests.autoscaler.workloads import objects
from tests.autoscaler.workloads.objects import POOL, TEAM, made

A100, L4 = "NVIDIA A100-SXM4-80GB", "NVIDIA L4"
GIB = float(2**30)
RESOURCES = {
    "requests": {"tflops": "10", "vram": "4Gi"},
    "limits": {"tflops": "20", "vram": "8Gi"},
}
ENROLLED = {
    "autoSetRequests": {"enable": True},
    "autoSetLimits": {"enable": True},
    "autoSetReplicas": {"enable": True},
}
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat", "uid": "uid-of-chat"}


def workload(name="chat", *, owners=(DEPLOYMENT,), status=None, metadata=None, **spec):
    """Return a workload that was made from the pods of a Deployment."""
    metadata = dict(metadata or {})
    annotations = {GENERATED_FROM: f"Deployment.apps/{name}", **metadata.pop("annotations", {})}
    annotations = {key: text for key, text in annotations.items() if text is not None}
    spec = {"resources": RESOURCES, "isLocalGPU": True, "replicas": 1, "gpuCount": 1} | spec
    return objects.workload(
        name,
        metadata={"annotations": annotations, **metadata},
        status={"owners": list(owners), **(status or {})},
        **{key: value for key, value in spec.items() if value is not None},
    )


def worker(name="chat-1", *, of="chat", gpus=("GPU-1",), amounts=None, ready_s=None, **fields):
    """Return a worker pod that was placed; without GPUs one that waits for them."""
    made_by = objects.placed if gpus else objects.worker
    more = {"gpus": gpus} if gpus else {}
    pod = made_by(name, workload=of, amounts=amounts, **more, **fields)
    pod["status"] |= {"startTime": "2026-01-01T00:01:00Z"} if gpus else {}
    if ready_s is not None:
        at = f"2026-01-01T00:{ready_s // 60:02d}:{ready_s % 60:02d}Z"
        pod["status"]["conditions"] = [
            {"type": "Ready", "status": "True", "lastTransitionTime": at}
        ]
    return pod


def gpu(uuid="GPU-1", *, free=("50", "40Gi"), pool=POOL, **fields):
    """Return a GPU of the pool, with what the controller says is free."""
    available = {} if free is None else {"available": {"tflops": free[0], "vram": free[1]}}
    labels = {POOL_LABEL: pool}
    return objects.gpu(
        uuid, metadata={"labels": labels}, usedBy="tensor-fusion", **available, **fields
    )


def pool(name=POOL, *, is_paused=False):
    metadata = {"annotations": {PAUSED: "true"}} if is_paused else {}
    return objects.pool(name, is_default=False, metadata=metadata)


def quota(name="quota", *, used=None, **spec):
    return {**objects.quota(name, **spec), "status": {"used": used or {}}}


def hpa(name="chat", *, kind="Deployment", target="chat", api_version="apps/v1"):
    reference = {"apiVersion": api_version, "kind": kind, "name": target}
    return made(HPAS.kind, name, api_version=HPAS.api_version, spec={"scaleTargetRef": reference})


def namespace(name=TEAM):
    return made("Namespace", name, api_version="v1", namespace="")


def in_force(**amounts):
    """Return amounts of a worker by statement key, ``_`` for a dash."""
    return {key.replace("_", "-"): text for key, text in amounts.items()}


def desired(**parts):
    """Return the status of a workload with a decision."""
    return {"desiredResources": {"epoch": 1, "sequence": 1, **parts}}
