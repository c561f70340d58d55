"""``GPUPool``: nodes whose GPUs are shared, and how workloads on them are treated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from autoscaler.api.auto_scaling import AutoScalingConfig
from autoscaler.api.conditions import Conditions
from autoscaler.api.resources import GPUAmounts
from autoscaler.api.scalars import Count, Foreign, Name, Number, OversellPercent, Quantity
from autoscaler.api.shape import CustomObject, Shape
from autoscaler.api.workload_profile import QoS
from autoscaler.api.workload_status import keyed

Image = Annotated[str, Field(max_length=1024)]
Labels = Annotated[Mapping[str, str], Field(max_length=64)]
ContainerAmounts = Annotated[Mapping[str, Quantity], Field(max_length=16)]
Environment = Annotated[Mapping[str, str], Field(max_length=100)]


class SelectorRequirement(Shape):
    """One requirement of a label selector."""

    key: str
    """Label that it is about."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """In, NotIn, Exists or DoesNotExist."""
    values: list[str] | None = None
    """Values for In and NotIn."""


class LabelSelector(Shape):
    """Labels that pods must have; an empty selector means every pod."""

    match_labels: Labels | None = None
    """Labels with their values."""
    match_expressions: list[SelectorRequirement] | None = None
    """Requirements that must hold together."""


class PoolRule(Shape):
    """Sizing for some pods of the pool."""

    name: Name
    """Name of the rule in reasons and reports."""
    pod_selector: LabelSelector | None = None
    """Pods that it is for. Not set: all."""
    auto_scaling_config: AutoScalingConfig | None = None
    """How they are sized, where neither their annotations nor their profile say."""


class QoSConfig(Shape):
    """Quality of service of the pool."""

    default_qos: QoS | None = None
    """Level of workloads that state none. Not set: medium."""


class Placement(Shape):
    """How GPUs are chosen."""

    mode: Literal["CompactFirst", "LowLoadFirst"] | None = None
    """CompactFirst (default) fills used GPUs first, LowLoadFirst takes the emptiest."""
    preemption: Literal["Never", "LowerQoS"] | None = None
    """Never (default), or LowerQoS: a worker without room has workers of lower QoS evicted."""


class Oversubscription(Shape):
    """How much more may be requested than there is."""

    tflops_oversell_ratio: OversellPercent | None = None
    """TFLOPS that may be requested of a GPU, in percent of what it has: 100 (default) or more."""


class CapacityConfig(Shape):
    """Capacity of the pool."""

    oversubscription: Oversubscription | None = None
    """How much more may be requested than there is."""


class ContainerResources(Shape):
    """CPU and memory of a container."""

    requests: ContainerAmounts | None = None
    """What it is sure to get."""
    limits: ContainerAmounts | None = None
    """The most that it may use."""


class LimiterConfig(Shape):
    """Init container that brings the limiter into pods."""

    image: Image | None = None
    """Image of the limiter. Not set: that of the installation."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When the image is pulled."""
    image_pull_secrets: list[Name] | None = None
    """Names of Secrets in the pod's namespace."""
    resources: ContainerResources | None = None
    """CPU and memory of the init container; its requests equal its limits."""


class WorkerConfig(Shape):
    """Worker pods, for stand-alone and remote mode."""

    image: Image | None = None
    """Program that serves GPUs to clients. Not set: the pool offers embedded local mode only."""
    pod_template: Foreign | None = None
    """Pod template of worker pods; its ``strategy.rollingUpdate`` says how they are replaced."""


class ClientConfig(Shape):
    """Clients of worker pods, for stand-alone and remote mode."""

    image: Image | None = None
    """Image whose files the client needs."""
    env: Environment | None = None
    """Environment that client containers get."""


class ComponentConfig(Shape):
    """Programs that pods of the pool need."""

    limiter: LimiterConfig | None = None
    """Init container that brings the limiter into pods."""
    worker: WorkerConfig | None = None
    """Worker pods."""
    client: ClientConfig | None = None
    """Clients of worker pods."""


class GPUPoolSpec(Shape):
    """Nodes of a pool, and how its workloads are treated."""

    node_selector: Labels | None = None
    """Labels of its nodes; a node that several pools select belongs to the oldest."""
    reserved_uuids: (
        Annotated[
            list[Annotated[str, Field(max_length=96)]],
            Field(max_length=4096, json_schema_extra={"x-kubernetes-list-type": "set"}),
        ]
        | None
    ) = None
    """GPUs of nodes with a device plugin that the plugin leaves to the pool, by UUID."""
    rules: Annotated[list[PoolRule], Field(max_length=32), keyed("name")] | None = None
    """Sizing by pod labels; of the rules that match, the first counts."""
    qos_config: QoSConfig | None = None
    """Quality of service."""
    default_using_local_gpu: bool | None = None
    """is-local-gpu of workloads that state none."""
    placement: Placement | None = None
    """How GPUs are chosen."""
    capacity_config: CapacityConfig | None = None
    """Capacity and oversubscription."""
    runtime_class_name: Name | None = None
    """RuntimeClass of its pods."""
    component_config: ComponentConfig | None = None
    """Programs that its pods need."""


class PoolTotals(Shape):
    """What a pool has."""

    gpus: Count | None = None
    """GPUs."""
    nodes: Count | None = None
    """Nodes with GPUs."""
    capacity: GPUAmounts | None = None
    """TFLOPS and VRAM of its GPUs, without oversubscription."""
    available: GPUAmounts | None = None
    """TFLOPS and VRAM that are not requested."""


class GPUPoolStatus(Shape):
    """What is known of a pool."""

    phase: Literal["Pending", "Running", "Unknown"] | None = None
    """Pending (no GPU yet), Running or Unknown."""
    observed_generation: Number | None = None
    """metadata.generation that the status is about."""
    conditions: Conditions | None = None
    """Observations, one entry a type."""
    totals: PoolTotals | None = None
    """What the pool has."""


class GPUPool(CustomObject):
    """Nodes whose GPUs are shared."""

    spec: GPUPoolSpec = GPUPoolSpec()
    """Nodes, and how workloads on them are treated."""
    status: GPUPoolStatus | None = None
    """What is known of the pool."""
