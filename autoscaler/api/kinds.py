"""The kinds of the API in one table: names, scope, what kubectl shows, and how they scale."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.api.connection import TensorFusionConnection
from autoscaler.api.gpu import GPU
from autoscaler.api.gpu_pool import GPUPool
from autoscaler.api.gpu_resource_quota import GPUResourceQuota
from autoscaler.api.names import GROUP, IS_DEFAULT_POOL, MANAGED_BY, POOL_LABEL, Condition
from autoscaler.api.shape import CustomObject
from autoscaler.api.workload import TensorFusionWorkload
from autoscaler.api.workload_profile import WorkloadProfile

CATEGORY = "tensor-fusion"
"""``kubectl get tensor-fusion`` lists the objects of all kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of ``kubectl get``."""

    name: str
    path: str
    """JSON path, from the object."""
    type: str = "string"
    is_wide: bool = False
    """Shown with ``-o wide`` only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomKind:
    """One kind as it is registered."""

    model: type[CustomObject]
    plural: str
    short_names: tuple[str, ...] = ()
    is_namespaced: bool = True
    columns: tuple[Column, ...] = ()
    is_scalable: bool = False
    """It has the scale subresource, so that ``kubectl scale`` and autoscalers can use it."""

    @property
    def name(self) -> str:
        """Return the name of the kind."""
        return self.model.__name__

    @property
    def full_name(self) -> str:
        """Return plural and group, the name of its definition."""
        return f"{self.plural}.{GROUP}"


def _amounts(prefix: str, path: str, *, is_wide: bool = False) -> tuple[Column, ...]:
    return (
        Column(name=f"{prefix} TFLOPS".strip(), path=f"{path}.tflops", is_wide=is_wide),
        Column(name=f"{prefix} VRAM".strip(), path=f"{path}.vram", is_wide=is_wide),
    )


_AGE = Column(name="Age", path=".metadata.creationTimestamp", type="date")
_STATED = (
    *_amounts("Request", ".spec.resources.requests"),
    *_amounts("Limit", ".spec.resources.limits"),
)
_POOL = Column(name="Pool", path=".spec.poolName")
_QOS = Column(name="QoS", path=".spec.qos")
_GPUS = Column(name="GPUs", path=".spec.gpuCount", type="integer")


def label_path(label: str) -> str:
    """Return the JSON path of a label."""
    return f".metadata.labels.{_escaped(label)}"


def annotation_path(annotation: str) -> str:
    """Return the JSON path of an annotation."""
    return f".metadata.annotations.{_escaped(annotation)}"


def condition_path(kind: Condition) -> str:
    """Return the JSON path of the reason of a condition."""
    return f'.status.conditions[?(@.type=="{kind}")].reason'


def _escaped(key: str) -> str:
    return key.replace(".", r"\.")


KINDS = (
    CustomKind(
        model=WorkloadProfile,
        plural="workloadprofiles",
        short_names=("wlp",),
        columns=(_POOL, _QOS, _GPUS, *_STATED, _AGE),
    ),
    CustomKind(
        model=TensorFusionWorkload,
        plural="tensorfusionworkloads",
        short_names=("tfw",),
        is_scalable=True,
        columns=(
            Column(name="Phase", path=".status.phase"),
            Column(name="Workers", path=".status.workerCount", type="integer"),
            Column(name="Ready", path=".status.readyWorkers", type="integer"),
            Column(name="Placement", path=condition_path(Condition.PLACED)),
            _POOL,
            _QOS,
            *_STATED,
            *_amounts("Recommended", ".status.recommendation.requests"),
            *_amounts("Desired", ".status.desiredResources.requests", is_wide=True),
            Column(name="GPUs", path=".spec.gpuCount", type="integer", is_wide=True),
            Column(name="Local", path=".spec.isLocalGPU", type="boolean", is_wide=True),
            _AGE,
        ),
    ),
    CustomKind(
        model=GPUPool,
        plural="gpupools",
        short_names=("gpool",),
        is_namespaced=False,
        columns=(
            Column(name="Phase", path=".status.phase"),
            Column(name="GPUs", path=".status.totals.gpus", type="integer"),
            Column(name="Nodes", path=".status.totals.nodes", type="integer"),
            *_amounts("", ".status.totals.capacity"),
            *_amounts("Free", ".status.totals.available"),
            Column(name="Default", path=annotation_path(IS_DEFAULT_POOL)),
            Column(name="Placement", path=".spec.placement.mode", is_wide=True),
            _AGE,
        ),
    ),
    CustomKind(
        model=GPU,
        plural="gpus",
        is_namespaced=False,
        columns=(
            Column(name="Phase", path=".status.phase"),
            Column(name="Model", path=".status.gpuModel"),
            Column(name="Pool", path=label_path(POOL_LABEL)),
            Column(name="Node", path=label_path(MANAGED_BY)),
            *_amounts("", ".status.capacity"),
            *_amounts("Free", ".status.available"),
            Column(name="Used By", path=".status.usedBy"),
            Column(name="UUID", path=".status.uuid", is_wide=True),
            Column(name="Index", path=".status.index", type="integer", is_wide=True),
            _AGE,
        ),
    ),
    CustomKind(
        model=GPUResourceQuota,
        plural="gpuresourcequotas",
        short_names=("gpuquota",),
        columns=(
            Column(name="Workers", path=".status.used.workers", type="integer"),
            Column(name="Max Workers", path=".spec.total.maxWorkers", type="integer"),
            *_amounts("Used", ".status.used.requests"),
            *_amounts("Total", ".spec.total.requests"),
            _AGE,
        ),
    ),
    CustomKind(
        model=TensorFusionConnection,
        plural="tensorfusionconnections",
        short_names=("tfc",),
        columns=(
            Column(name="Phase", path=".status.phase"),
            Column(name="Workload", path=".spec.workloadName"),
            Column(name="Client", path=".spec.clientPod"),
            Column(name="Worker", path=".status.workerName"),
            Column(name="URL", path=".status.connectionURL", is_wide=True),
            _AGE,
        ),
    ),
)
