"""Reasons of conditions, and of amounts that the controller cut.

Reasons that events have too are ``EventReason`` in ``names``; a condition that only repeats its
type has that as its reason.
"""

from __future__ import annotations

from enum import StrEnum


class WorkloadReason(StrEnum):
    """Of a workload: whether it runs, and whether its workers have GPUs."""

    WORKLOAD_READY = "WorkloadReady"
    WAITING_FOR_WORKERS = "WaitingForWorkers"
    """Fewer workers are ready than there are to be."""
    SCALED_TO_ZERO = "ScaledToZero"
    WORKERS_ENDED = "WorkersEnded"
    """All have ended, as those of a finished Job do."""
    WAITING_FOR_PLACEMENT = "WaitingForPlacement"
    """Workers were not looked at yet, or wait behind somebody else's scheduling gate."""
    WEBHOOK_NOT_IN_FORCE = "WebhookNotInForce"
    """A worker pod came past admission, and was deleted."""
    NOT_ACTED_ON = "NotActedOn"
    """A setting is kept and has no effect yet."""


class AppliedReason(StrEnum):
    """Of the condition ``DesiredApplied`` of a workload."""

    APPLIED = "Applied"
    """Every worker has what was decided."""
    AT_START = "AtStart"
    """Only workers that start get what was decided, as no layer has the mode ``apply``."""
    NOT_ENROLLED = "NotEnrolled"
    """No layer lets what was decided reach any worker."""
    APPLYING = "Applying"
    """Further workers are changed at the next look."""
    CAPPED = "Capped"
    """Some workers have less than was decided."""
    PAUSED = "Paused"
    RECOMMEND_ONLY = "RecommendOnly"
    STALE_DECISION = "StaleDecision"
    """A newer decision was applied before."""
    INVALID_DECISION = "InvalidDecision"
    """``status.desiredResources`` or the workload's own settings cannot be read."""


class CapReason(StrEnum):
    """Why a worker has less than was decided for it."""

    GPU_FULL = "GPUFull"
    GPU_LOST = "GPULost"
    """A GPU of the worker is not there, so nothing more of it is given."""
    ABOVE_GPU = "AboveGPU"
    """More than its GPU has in all."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    ABOVE_LIMIT = "AboveLimit"
    """A request above a limit that could not be raised."""
    INVALID_WORKER = "InvalidWorker"
    """Its annotations cannot be read, or what would become of them."""
    WRITE_REFUSED = "WriteRefused"
    """The API server does not allow the change."""


class PoolReason(StrEnum):
    """Of a pool: whether workers can be placed, and what an older pool has."""

    GPUS_READY = "GPUsReady"
    SOME_GPUS_NOT_USABLE = "SomeGPUsNotUsable"
    NO_GPUS_USABLE = "NoGPUsUsable"
    NO_GPUS = "NoGPUs"
    """No node of the pool has a GPU object."""
    NO_NODE_SELECTOR = "NoNodeSelector"
    NO_CONFLICT = "NoConflict"
    OLDER_POOL_HAS_NODES = "OlderPoolHasNodes"
    MARKED_DEFAULT = "MarkedDefault"
    OLDER_POOL_IS_DEFAULT = "OlderPoolIsDefault"


class QuotaReason(StrEnum):
    """Of a quota, where none of its totals is near or exceeded."""

    WITHIN_QUOTA = "WithinQuota"
    INVALID_QUOTA = "InvalidQuota"
    """A maximum cannot be read."""


class ConnectionReason(StrEnum):
    """Of a connection: whether a worker serves the client."""

    WORKER_READY = "WorkerReady"
    WAITING_FOR_WORKER = "WaitingForWorker"
    """No worker is free and ready."""
    WORKER_NOT_READY = "WorkerNotReady"
    NO_PORT = "NoPort"
    """The pool's template declares no port that a client could reach."""


class RecommendationReason(StrEnum):
    """Of ``RecommendationProvided``: whether use is known well enough for a number."""

    RECOMMENDED = "Recommended"
    NOT_ENOUGH_HISTORY = "NotEnoughHistory"
    NO_SAMPLES = "NoSamples"
    OTHER = "NotRecommended"
    """The message says why."""


class UpdateReason(StrEnum):
    """Of ``ResourceUpdate``: whether decisions are stated for this workload, or why not."""

    UPDATED = "Updated"
    """What is stated is what was decided."""
    NOT_ENROLLED = "NotEnrolled"
    RECOMMEND_ONLY = "RecommendOnly"
    """The process-wide mode is ``recommend``."""
    PAUSED = "Paused"
    HELD = "Held"
    """The health gate is closed, or the history is still being read: only raises pass."""
    INVALID_CONFIG = "InvalidAutoScalingConfig"


class ReplicasReason(StrEnum):
    """Of ``ReplicasNotScaled``: why a layer that is enrolled sets no replicas."""

    NO_SCALE = "OwnerHasNoScale"
    """The owner is a Job, a DaemonSet, a bare pod, or of a kind that is not on the list."""
    SEVERAL_OWNERS = "SeveralOwners"
    OTHER_AUTOSCALER = "OtherAutoscaler"
    """A HorizontalPodAutoscaler or ScaledObject targets the owner."""
    RESET_BY_OTHERS = "ResetByOthers"
    """Somebody set other replicas three times in an hour; the layer rests."""
    FORBIDDEN = "Forbidden"
    """The API server does not let this process scale the owner."""


class ExternalReason(StrEnum):
    """Of ``ExternalScaler``: how the endpoint of a workload answers."""

    ANSWERED = "Answered"
    NOT_ASKED_YET = "NotAskedYet"
    NOT_ALLOWED = "NotAllowed"
    """The address is not on the list of the installation."""
    NO_SECRET = "NoSecret"  # noqa: S105 - a reason
    """The key cannot be read, or is to be read from another namespace."""
    FAILED = "Failed"
    """No answer, or one that cannot be used."""
