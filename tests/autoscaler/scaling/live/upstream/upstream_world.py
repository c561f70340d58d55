"""Objects of an upstream operator, short, and caches that a test fills itself."""

from autoscaler.api.names import CONTROL_CONFIG_MAP, PREFIX
from autoscaler.kube.resource import GPUS, PODS, WORKLOADS
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.live.upstream.caches import (
    UpstreamCaches,
    kept_of_upstream_worker,
    kept_of_upstream_workload,
)
from autoscaler.scaling.live.upstream.views import UpstreamViews

TEAM = "team"
SYSTEM = "tensor-fusion-sys"
A100 = "NVIDIA A100-SXM4-80GB"
L4 = "NVIDIA L4"
IN_FORCE = {
    "tflops-request": "40",
    "tflops-limit": "80",
    "vram-request": "10Gi",
    "vram-limit": "16Gi",
}
RESOURCES = {
    "requests": {"tflops": "30", "vram": "10Gi"},
    "limits": {"tflops": "80", "vram": "16Gi"},
}
CARDS = {A100: {"tflops": "312", "vram": "80Gi"}, L4: {"tflops": "121", "vram": "24Gi"}}
_versions = iter(range(1, 1_000_000))


def version():
    return str(next(_versions))


def worker(name="chat-1", *, of="chat", gpus="gpu-1", namespace=TEAM, phase="Running", **said):
    """Return a worker pod; ``said`` are annotations without their prefix, ``_`` for a dash."""
    annotations = {**IN_FORCE, "gpu-ids": gpus}
    annotations |= {key.replace("_", "-"): text for key, text in said.items()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "resourceVersion": version(),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {
                f"{PREFIX}component": "worker",
                f"{PREFIX}workload": of,
                f"{PREFIX}gpupool": "pool",
            },
            "annotations": {
                **{f"{PREFIX}{key}": text for key, text in annotations.items() if text is not None},
                "somebody.example/else": "kept out",
            },
        },
        "spec": {"containers": []},
        "status": {"phase": phase, "startTime": "2026-01-01T00:01:00Z"},
    }


def workload(name="chat", *, namespace=TEAM, resources=RESOURCES, annotations=None, **spec):
    """Return a workload of the operator, with fields that we know nothing of."""
    return {
        "apiVersion": "tensor-fusion.ai/v1",
        "kind": "TensorFusionWorkload",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-of-{name}",
            "resourceVersion": version(),
            "annotations": annotations or {},
        },
        "spec": {
            "resources": resources,
            "replicas": 1,
            "isLocalGPU": True,
            "autoScalingConfig": {"autoSetResources": {"enable": True, "targetResource": "all"}},
            "somethingNew": {"deep": [1, 2]},
            **spec,
        },
        "status": {"recommendation": RESOURCES},
    }


def gpu(name="gpu-1", *, model=A100, free=None):
    return {
        "apiVersion": "tensor-fusion.ai/v1",
        "kind": "GPU",
        "metadata": {
            "name": name,
            "resourceVersion": version(),
            "labels": {f"{PREFIX}gpupool": "pool"},
        },
        "status": {
            "phase": "Running",
            "gpuModel": model,
            "usedBy": "tensor-fusion",
            "capacity": CARDS[model],
            "available": free or CARDS[model],
        },
    }


def switches(**data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": CONTROL_CONFIG_MAP,
            "namespace": SYSTEM,
            "resourceVersion": version(),
        },
        "data": data,
    }


class UpstreamWorld:
    """Caches without a server, and the views of them."""

    def __init__(self, *objects, **more):
        self.caches = UpstreamCaches(None, namespace=SYSTEM)
        self.put(switches(mode="apply"), *objects)
        self.views = UpstreamViews(self.caches, gpu_models=GpuModels(), **more)

    def put(self, *objects):
        for obj in objects:
            match obj["kind"]:
                case "Pod":
                    self.caches.store(PODS).put(kept_of_upstream_worker(obj))
                case "TensorFusionWorkload":
                    self.caches.store(WORKLOADS).put(kept_of_upstream_workload(obj))
                case "GPU":
                    self.caches.store(GPUS).put(obj)
                case "ConfigMap":
                    self.caches.controls.put(obj)

    def remove(self, obj):
        self.caches.store(PODS).remove(obj)

    def view(self):
        [view] = self.views.snapshot()
        return view
