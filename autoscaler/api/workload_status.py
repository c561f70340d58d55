"""Status of a ``TensorFusionWorkload``: each part has one writer.

The controller writes phase, counts, workers, ``applied`` and ``effective``; the autoscaler writes
``recommendation``, ``desiredResources`` and ``guard``.  Nothing is required, because a required
field would refuse the part of the other writer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from autoscaler.api.conditions import Conditions
from autoscaler.api.resources import Resources
from autoscaler.api.scalars import Count, Foreign, Name, Number, Time
from autoscaler.api.shape import Shape

_MODELS = 64
_SETTINGS = 256


def keyed(*keys: str) -> Any:
    """Return the field of a list whose entries are told apart by these keys."""
    return Field(
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": list(keys),
        }
    )


class WorkerStatus(Shape):
    """One worker."""

    worker_name: Name
    """Name of its pod."""
    worker_phase: Literal["Pending", "Running", "Failed"] | None = None
    """Phase of its pod."""
    node_selector: Mapping[str, str] | None = None
    """Where it runs."""
    worker_ip: str | None = None
    """IP address of a worker that is reached over the network."""
    worker_port: Count | None = None
    """Port of a worker that is reached over the network."""
    resource_version: str | None = None
    """Version of its pod that this was read from."""


class WorkloadOwner(Shape):
    """An object whose pods are workers of the workload; the first one's settings count."""

    api_version: str | None = None
    """Group and version of its kind."""
    kind: str | None = None
    """Kind, such as Deployment."""
    name: Name | None = None
    """Name in the workload's namespace."""
    uid: str
    """UID of the object."""


class DesiredAmounts(Resources):
    """Requests and limits for running workers, and what replaces them at the next start."""

    next_start: Resources | None = None
    """What pods get that start from now on; a lower VRAM amount stands here alone."""


class DesiredResources(DesiredAmounts):
    """What the autoscaler wants to be in force; the controller applies it after its checks."""

    epoch: Number | None = None
    """Term of the autoscaler's leader; an older one is ignored."""
    sequence: Number | None = None
    """Number of the decision in its term; each is handled once for each worker."""
    time: Time | None = None
    """When it was decided."""
    by_gpu_model: Annotated[Mapping[str, DesiredAmounts], Field(max_length=_MODELS)] | None = None
    """What replaces all of this for workers on a model of GPU."""


class CappedWorker(Shape):
    """A worker that did not get all that was desired."""

    worker: Name
    """Name of its pod."""
    reason: Annotated[str, Field(max_length=1024)] | None = None
    """Why, as one word in CamelCase."""
    message: Annotated[str, Field(max_length=4096)] | None = None
    """Why, for people."""


class Applied(Shape):
    """What the controller made of desiredResources."""

    epoch: Number | None = None
    """Epoch of the desired resources that were handled."""
    sequence: Number | None = None
    """Sequence of the desired resources that were handled."""
    workers: Count | None = None
    """Workers that have them."""
    capped: Annotated[list[CappedWorker], keyed("worker")] | None = None
    """Workers that did not get them whole."""


class EffectiveValue(Shape):
    """A setting that is in effect, and where it came from."""

    value: Annotated[str, Field(max_length=1024)]
    """As a user would write it."""
    source: Annotated[str, Field(max_length=1024)]
    """Annotation, profile, quota, rule of the pool, or default."""


class GuardedAmounts(Shape):
    """What guard rails must not forget of the amounts of workers on one model of GPU."""

    last_change: Time | None = None
    """When an amount was last changed."""
    previous: Resources | None = None
    """What was in force before the decrease that is watched, to go back to."""
    watched_until: Time | None = None
    """Until when a decrease may be rolled back."""
    no_decrease_until: Time | None = None
    """Until when nothing is lowered."""
    answered_until: Time | None = None
    """Refused allocations before it were answered by a higher limit."""
    changes_today: Count | None = None
    """Changes in the 24 hours before the last one."""


class GuardedReplicas(Shape):
    """What guard rails must not forget of the replicas."""

    stated: Count | None = None
    """What somebody else than the autoscaler set last."""
    scaled: Count | None = None
    """What the autoscaler set last."""
    resets: (
        Annotated[
            list[Time],
            Field(max_length=8, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
        | None
    ) = None
    """When somebody else set other replicas, within the last hour."""
    paused_until: Time | None = None
    """Until when the replicas are left alone, after three resets in an hour."""


class Guard(GuardedAmounts):
    """What guard rails must not forget; it is written together with a decision."""

    by_gpu_model: Annotated[Mapping[str, GuardedAmounts], Field(max_length=_MODELS)] | None = None
    """The same for each model of GPU, where workers run on several."""
    replicas: GuardedReplicas | None = None
    """Of auto-replicas."""


class WorkloadStatus(Shape):
    """What is known of a workload, what is recommended for it, and what was applied."""

    phase: Literal["Pending", "Running", "Failed", "Unknown"] | None = None
    """Pending, Running, Failed or Unknown."""
    observed_generation: Number | None = None
    """metadata.generation that the status is about."""
    conditions: Conditions | None = None
    """Observations, one entry a type."""
    worker_count: Count | None = None
    """Workers that exist."""
    ready_workers: Count | None = None
    """Workers that are ready."""
    replicas: Count | None = None
    """Same as workerCount, for readers of the first version."""
    ready_replicas: Count | None = None
    """Same as readyWorkers, for readers of the first version."""
    worker_statuses: Annotated[list[WorkerStatus], keyed("workerName")] | None = None
    """One entry a worker."""
    selector: Annotated[str, Field(max_length=1024)] | None = None
    """Label selector of the workers, for whoever scales the workload."""
    pod_template_hash: str | None = None
    """Hash of the template that worker pods are made from."""
    owners: Annotated[list[WorkloadOwner], keyed("uid")] | None = None
    """Objects whose pods are workers of this workload."""
    effective: Annotated[Mapping[str, EffectiveValue], Field(max_length=_SETTINGS)] | None = None
    """Settings in effect by name, each with where it came from."""
    recommendation: Resources | None = None
    """What the measured use asks for, before pace and budgets."""
    desired_resources: DesiredResources | None = None
    """What is to be in force now, and what new pods start with."""
    applied: Applied | None = None
    """What was made of desiredResources."""
    guard: Guard | None = None
    """What guard rails must not forget."""
    applied_recommended_replicas: Count | None = None
    """Workers that have the recommendation in force."""
    active_cron_scaling_rule: Foreign | None = None
    """The cron rule whose window is open."""
