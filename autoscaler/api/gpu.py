"""``GPU``: one device.  Its node's agent makes the object; nobody writes a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from autoscaler.api.conditions import Conditions
from autoscaler.api.resources import GPUAmounts
from autoscaler.api.scalars import Count, Name
from autoscaler.api.shape import CustomObject, Shape
from autoscaler.api.workload_status import keyed


class RunningPod(Shape):
    """One worker pod on the GPU."""

    uid: str
    """UID of the pod."""
    name: Name | None = None
    """Name of the pod."""


class RunningApp(Shape):
    """A workload with workers on the GPU."""

    namespace: Name
    """Namespace of the workload."""
    name: Name
    """Name of the workload."""
    count: Count | None = None
    """Workers on this GPU."""
    pods: Annotated[list[RunningPod], keyed("uid")] | None = None
    """The workers."""


class GPUStatus(Shape):
    """What is known of a GPU."""

    phase: (
        Literal["Pending", "Provisioning", "Running", "Unknown", "Destroying", "Migrating"] | None
    ) = None
    """Workers are placed on a GPU that is Running."""
    vendor: str | None = None
    """Vendor, such as NVIDIA."""
    gpu_model: str | None = None
    """Full name of the model, as the driver tells it."""
    model: str | None = None
    """Short name of the model, such as A100."""
    uuid: str | None = None
    """UUID as the driver spells it; the object's name is the same in lower case."""
    index: Count | None = None
    """Index on its node."""
    numa_node: int | None = None
    """NUMA node; -1: none is known."""
    node_selector: Mapping[str, str] | None = None
    """Labels of its node, kubernetes.io/hostname among them."""
    used_by: str | None = None
    """tensor-fusion, or nvidia-device-plugin where its node gives it to whole-GPU pods."""
    isolation_mode: str | None = None
    """How workers are kept apart on it."""
    message: str | None = None
    """What is wrong with it."""
    capacity: GPUAmounts | None = None
    """What it has: peak FP16 TFLOPS and VRAM."""
    available: GPUAmounts | None = None
    """What is not requested, oversubscription included."""
    running_apps: Annotated[list[RunningApp], keyed("namespace", "name")] | None = None
    """Workloads with workers on it."""
    conditions: Conditions | None = None
    """Observations, one entry a type."""


class GPU(CustomObject):
    """One GPU of a node."""

    status: GPUStatus | None = None
    """What is known of the GPU."""
