"""``GPUResourceQuota``: what the workloads of a namespace may have, together and each.

Several quotas of one namespace bind together; defaults come from the first by name.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from autoscaler.api.conditions import Conditions
from autoscaler.api.resources import Amounts, GPUAmounts, at_most, with_rules
from autoscaler.api.scalars import Count, Number
from autoscaler.api.shape import CustomObject, Shape
from autoscaler.api.workload_profile import GPUS, QoS


class TotalQuota(Shape):
    """Most of all workers of the namespace together; amounts count for each of a worker's GPUs."""

    requests: GPUAmounts | None = None
    """Most requests."""
    limits: GPUAmounts | None = None
    """Most limits."""
    max_workers: Count | None = None
    """Most workers."""
    alert_threshold_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """Use in percent of a maximum that is told by an event, 0 to 100. Not set: 95."""


class SingleQuota(Shape):
    """Most of one worker, and what workloads get that state nothing."""

    model_config = with_rules(
        *at_most("defaultRequests", "maxRequests"),
        *at_most("defaultLimits", "maxLimits"),
        *at_most("defaultRequests", "defaultLimits"),
    )

    max_requests: Amounts | None = None
    """Most requests, per GPU."""
    max_limits: Amounts | None = None
    """Most limits, per GPU."""
    max_gpu_count: Annotated[int, Field(ge=1, le=GPUS)] | None = None
    """Most GPUs of a worker, 1 to 128."""
    default_requests: Amounts | None = None
    """Requests of workloads that state none, per GPU."""
    default_limits: Amounts | None = None
    """Limits of workloads that state none, per GPU."""


class GPUResourceQuotaSpec(Shape):
    """What the workloads of a namespace may have."""

    total: TotalQuota | None = None
    """All workers together; checked when a worker is placed and at each raise."""
    single: SingleQuota | None = None
    """Each worker; checked when a pod is admitted."""
    allowed_qos: (
        Annotated[
            list[QoS],
            Field(max_length=4, json_schema_extra={"x-kubernetes-list-type": "set"}),
        ]
        | None
    ) = None
    """Levels that may be used. Not set: low, medium and high."""


class UsedQuota(Shape):
    """What the namespace's workers have together."""

    requests: GPUAmounts | None = None
    """Their requests."""
    limits: GPUAmounts | None = None
    """Their limits."""
    workers: Count | None = None
    """Their number."""


class GPUResourceQuotaStatus(Shape):
    """What is known of a quota."""

    observed_generation: Number | None = None
    """metadata.generation that the status is about."""
    used: UsedQuota | None = None
    """What the namespace's workers have together."""
    conditions: Conditions | None = None
    """Observations, one entry a type."""


class GPUResourceQuota(CustomObject):
    """What the workloads of a namespace may have."""

    spec: GPUResourceQuotaSpec = GPUResourceQuotaSpec()
    """Maxima and defaults."""
    status: GPUResourceQuotaStatus | None = None
    """What is used."""
