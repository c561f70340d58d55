"""``WorkloadProfile``: what a workload needs and how it is sized, for pods to refer to.

The same spec is the resolved one of a ``TensorFusionWorkload``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from autoscaler.api.auto_scaling import AutoScalingConfig
from autoscaler.api.conditions import Conditions
from autoscaler.api.resources import Resources, with_rules
from autoscaler.api.scalars import Count, Duration, Foreign, Name, Number, rule
from autoscaler.api.shape import CustomObject, Shape

QoS = Literal["low", "medium", "high", "critical"]
GPUS = 128
"""Most GPUs of a worker."""


class GangScheduling(Shape):
    """Workers that are placed together or not at all."""

    model_config = with_rules(
        rule(
            "!has(self.minMembers) || self.minMembers != 1",
            "minMembers is 1; allowed: 0 (no gang) or 2 and more",
        )
    )

    min_members: Count | None = None
    """Fewest workers that start together: 0 (no gang), or 2 and more."""
    timeout: Duration | None = None
    """How long workers wait for one another, such as 10m."""
    mode: Literal["Strict"] | None = None
    """Strict: none starts before all can."""


class WorkloadSpec(Shape):
    """What a workload needs. An annotation of a pod wins over the field of the same meaning."""

    model_config = with_rules(
        rule(
            "!has(self.gangScheduling) || !has(self.gangScheduling.minMembers)"
            " || !has(self.replicas) || self.gangScheduling.minMembers <= self.replicas",
            "gangScheduling.minMembers is above replicas: the gang could never start",
        ),
        rule(
            "!has(self.noStandaloneWorkerMode) || !has(self.standaloneWorkerMode)"
            " || self.noStandaloneWorkerMode != self.standaloneWorkerMode",
            "noStandaloneWorkerMode and standaloneWorkerMode are opposites: state one of the two",
        ),
    )

    replicas: Count | None = None
    """Number of workers, the same as the Deployment's in most cases. Not set: one for each pod."""
    pool_name: Name | None = None
    """GPUPool whose GPUs are used. Not set: the default pool."""
    resources: Resources | None = None
    """Requests and limits, per worker and GPU device."""
    qos: QoS | None = None
    """Quality of service level. Not set: that of the pool, else medium."""
    is_local_gpu: bool | None = None
    """Whether the workload runs on the server of its GPU. Not set: as the pool says."""
    no_standalone_worker_mode: bool | None = None
    """True: the pod itself is the worker, where the GPU is local."""
    standalone_worker_mode: bool | None = None
    """Later, opposite name of noStandaloneWorkerMode."""
    isolation: Literal["shared", "soft"] | None = None
    """How workers of one GPU are kept apart: soft (limits are enforced) or shared (none are)."""
    gpu_model: Name | None = None
    """GPU model by its name or a short form such as A100. Not set: any."""
    gpu_count: Annotated[int, Field(ge=1, le=GPUS)] | None = None
    """GPUs per worker, 1 to 128; amounts count for each of them. Not set: 1."""
    gpu_indices: (
        Annotated[
            list[Count],
            Field(max_length=GPUS, json_schema_extra={"x-kubernetes-list-type": "set"}),
        ]
        | None
    ) = None
    """Indices of the GPUs on their node, in place of gpuCount."""
    vendor: Name | None = None
    """Vendor of the GPU. Not set: any."""
    auto_scaling_config: AutoScalingConfig | None = None
    """How the workload is sized automatically; it wins over rules of the pool."""
    node_affinity: Foreign | None = None
    """Node affinity of worker pods, as a pod's spec.affinity.nodeAffinity."""
    worker_pod_template: Foreign | None = None
    """Pod template that is merged over the pool's template of worker pods."""
    gang_scheduling: GangScheduling | None = None
    """Workers that are placed together or not at all."""
    partition_template_id: Name | None = None
    """Kept so that manifests of other versions apply; it has no effect."""
    sidecar_worker: bool | None = None
    """Kept so that manifests of other versions apply; it has no effect."""


class WorkloadProfileStatus(Shape):
    """What is known of a profile."""

    observed_generation: Number | None = None
    """metadata.generation that the status is about."""
    conditions: Conditions | None = None
    """Observations, one entry a type."""


class WorkloadProfile(CustomObject):
    """Settings that pods of the same namespace refer to by annotation."""

    spec: WorkloadSpec = WorkloadSpec()
    """What a workload needs."""
    status: WorkloadProfileStatus | None = None
    """What is known of the profile."""
