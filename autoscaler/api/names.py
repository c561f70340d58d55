"""Every annotation, label, condition, event reason and object name that the parts agree on.

Keys that state amounts and properties of a workload are the recommender's (``policy/fields``); they
are repeated here by name only where a part of Kubernetes needs one of them.  What is injected into
pods is the table of ``injection``; reasons of conditions are ``condition_reasons``.
"""

from __future__ import annotations

from enum import StrEnum

from recommender.policy.fields import (
    AMOUNTS,
    ANNOTATION_PREFIX,
    BLOCK_ANNOTATIONS,
    PROFILE_ANNOTATIONS,
    STATEMENTS,
    TARGET_ANNOTATIONS,
)

PREFIX = ANNOTATION_PREFIX
GROUP = PREFIX.removesuffix("/")
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"

# Labels
ENABLED = f"{PREFIX}enabled"
"""``"true"`` on a pod: admission looks at it.  The only label of ours that a user writes."""
COMPONENT = f"{PREFIX}component"
WORKLOAD_LABEL = f"{PREFIX}workload"
POOL_LABEL = f"{PREFIX}gpupool"
MANAGED_BY = f"{PREFIX}managed-by"
"""On GPU objects: the node whose agent writes them."""
SCHEMA_LABEL = f"{PREFIX}schema"
SCHEMA = "autoscaler-v1"
"""Value of the schema label on our CRDs; theirs, of the same group, have none."""


class Component(StrEnum):
    """Values of the component label."""

    WORKER = "worker"
    """It holds a GPU: the pod itself (embedded), or a worker pod of the controller."""
    CLIENT = "client"
    """It uses the GPU of a worker pod."""


# Annotations that a user writes and only admission needs
INJECT_CONTAINER = f"{PREFIX}inject-container"
WORKLOAD = f"{PREFIX}workload"
GENERATE_WORKLOAD = f"{PREFIX}generate-workload"
NO_STANDALONE_WORKER_MODE = f"{PREFIX}no-standalone-worker-mode"
STANDALONE_WORKER_MODE = f"{PREFIX}standalone-worker-mode"
"""The later, opposite spelling of the key above."""
VENDOR = f"{PREFIX}vendor"
GPU_INDICES = f"{PREFIX}gpu-indices"
ISOLATION = f"{PREFIX}isolation"
WORKER_POD_TEMPLATE = f"{PREFIX}worker-pod-template"
WORKLOAD_PROFILE = f"{PREFIX}{PROFILE_ANNOTATIONS[0]}"
GPU_POOL = f"{PREFIX}gpupool"
GPU_COUNT = f"{PREFIX}gpu-count"
GPU_MODEL = f"{PREFIX}gpu-model"
QOS = f"{PREFIX}qos"
IS_LOCAL_GPU = f"{PREFIX}is-local-gpu"
REPLICAS = f"{PREFIX}replicas"

AMOUNT_KEYS = tuple(statement.key for statement in AMOUNTS)
"""``tflops-request`` and so on, without prefix: the value in force, once a pod is admitted."""
IN_FORCE = tuple(f"{PREFIX}{key}" for key in AMOUNT_KEYS)
DECLARED = tuple(f"{PREFIX}declared-{key}" for key in AMOUNT_KEYS)
"""What the user declared, in the order of ``IN_FORCE``."""
SOURCES = f"{PREFIX}sources"
"""Where each declared value came from: JSON object of statement key to text."""

# Annotations that only the system writes; stripped from pods at CREATE
GPU_IDS = f"{PREFIX}gpu-ids"
"""UUIDs of the GPUs that the controller placed the pod on, comma separated."""
GPU_PEAK_TFLOPS = f"{PREFIX}gpu-peak-tflops"
"""Peak FP16 TFLOPS of one of these GPUs, a plain number; written with ``gpu-ids``."""
GPU_PEAK_VRAM = f"{PREFIX}gpu-peak-vram"
"""VRAM of one of these GPUs in bytes, a plain number; written with ``gpu-ids``."""
MODE = f"{PREFIX}mode"
"""How admission read the pod: a ``WorkloadMode``."""
SELECTED_WORKLOAD = f"{PREFIX}selected-workload"
"""On clients: the workload whose workers serve them."""
SYSTEM_ANNOTATIONS = (GPU_IDS, GPU_PEAK_TFLOPS, GPU_PEAK_VRAM, MODE, SELECTED_WORKLOAD)
SYSTEM_LABELS = (COMPONENT, WORKLOAD_LABEL, POOL_LABEL, MANAGED_BY)

USER_ANNOTATIONS = (
    *(f"{PREFIX}{key}" for statement in STATEMENTS for key in statement.annotations),
    *(f"{PREFIX}{key}" for key in (*BLOCK_ANNOTATIONS, *TARGET_ANNOTATIONS, *PROFILE_ANNOTATIONS)),
    INJECT_CONTAINER,
    WORKLOAD,
    GENERATE_WORKLOAD,
    NO_STANDALONE_WORKER_MODE,
    STANDALONE_WORKER_MODE,
    VENDOR,
    GPU_INDICES,
    ISOLATION,
    WORKER_POD_TEMPLATE,
)
"""All that admission acts on; any other key of ours is kept and warned about."""

# On other objects
IS_DEFAULT_POOL = f"{PREFIX}is-default-pool"
"""``"true"`` on one GPUPool: pods that name no pool use it."""
GENERATED_FROM = f"{PREFIX}generated-from"
"""On a workload: ``Kind.group/name`` of the root owner of the pods that its spec follows.  Without
it a user wrote the workload, and its spec is left alone."""
PAUSED = f"{PREFIX}paused"
"""``"true"`` on a workload or a pool: no running worker of it is changed."""
SERVING_SINCE = f"{PREFIX}serving-since"
"""On the certificate Secret: when the certificate in ``tls.crt`` was put in force (RFC 3339)."""
SERVING_FINGERPRINT = f"{PREFIX}serving-fingerprint"
"""On the same: SHA-256 of that certificate; another one in ``tls.crt`` came from somebody else."""


class WorkloadMode(StrEnum):
    """Where the GPU of a pod is."""

    EMBEDDED = "embedded"
    """Local, and the pod itself is the worker."""
    STANDALONE = "standalone"
    """A worker pod on the same node."""
    REMOTE = "remote"
    """A worker pod anywhere, reached by a connection object."""


PLACEMENT_GATE = f"{PREFIX}gpu-placement"
"""Scheduling gate of pods that hold a GPU, until the controller has placed them."""
PRIORITY_CLASSES = {"high": "tensor-fusion-high", "critical": "tensor-fusion-critical"}
"""QoS level to the PriorityClass that a pod gets which names none."""
NATIVE_GPU_RESOURCES = ("nvidia.com/gpu", "amd.com/gpu", "nvidia.com/gpu.shared")
"""Extended resources of device plugins, which an injected container does not keep."""


class Condition(StrEnum):
    """Condition types in status; each has one writer."""

    READY = "Ready"
    PLACED = "Placed"
    """Whether every worker of a workload has its GPUs."""
    DESIRED_APPLIED = "DesiredApplied"
    OWNER_CONFLICT = "OwnerConflict"
    """Pods of somebody else than whom its spec follows belong to a workload."""
    REPLICAS_NOT_SCALED = "ReplicasNotScaled"
    RECOMMENDATION_PROVIDED = "RecommendationProvided"
    RESOURCE_UPDATE = "ResourceUpdate"
    STALE_METRICS = "StaleMetrics"
    SCALE_TO_ZERO = "ScaleToZeroUnsupported"
    IS_DEFAULT = "IsDefault"
    NODE_CONFLICT = "NodeConflict"
    """An older pool selects some of a pool's nodes too, and has them."""
    ALERT_THRESHOLD_REACHED = "AlertThresholdReached"
    QUOTA_EXCEEDED = "QuotaExceeded"
    """More is in use than a quota allows, as it was lowered; nothing is taken away."""
    EXTERNAL_SCALER = "ExternalScaler"
    """Whether the endpoint that a workload names is asked, and answers."""


class EventReason(StrEnum):
    """Reasons of the controller's events, and of conditions that say the same."""

    WORKLOAD_CREATED = "WorkloadCreated"
    OWNER_CONFLICT = "OwnerConflict"
    PLACED = "Placed"
    NO_GPU_AVAILABLE = "NoGPUAvailable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    ALERT_THRESHOLD_REACHED = "AlertThresholdReached"
    NODE_CONFLICT = "NodeConflict"
    INVALID_WORKER = "InvalidWorker"
    """A pod that cannot be placed: its annotations cannot be read, the API server refuses it, or
    somebody else removed its gate."""
    PLACEMENT_RELEASED = "PlacementReleased"
    """The scheduler refused the node of a placed pod, which is made anew."""
    UNSCHEDULABLE = "Unschedulable"
    """The same of a bare pod, which stays."""
    GPU_LOST = "GPULost"
    """A GPU of a running worker is gone or does not run."""
    RESOURCE_SCALED_UP = "ResourceScaledUp"
    RESOURCE_SCALED_DOWN = "ResourceScaledDown"
    RESOURCE_CAPPED = "ResourceCapped"
    WORKER_CREATED = "WorkerCreated"
    WORKER_FAILED = "WorkerFailed"
    WORKER_REPLACED = "WorkerReplaced"
    WORKERS_NOT_CREATED = "WorkersNotCreated"
    PREEMPTED = "Preempted"


class ScalingEvent(StrEnum):
    """Reasons of the autoscaler's events."""

    REPLICAS_SCALED = "ReplicasScaled"
    REPLICAS_RESET = "ReplicasReset"
    """Somebody else set the replicas of a workload whose replicas are automatic."""
    REPLICAS_NOT_SCALED = "ReplicasNotScaled"
    ROLLED_BACK = "RolledBack"
    STALE_METRICS = "StaleMetrics"
    INVALID_AUTO_SCALING = "InvalidAutoScalingConfig"
    CRON_RULE_ACTIVE = "CronRuleActive"
    CRON_RULE_INACTIVE = "CronRuleInactive"
    EXTERNAL_SCALER_FAILED = "ExternalScalerFailed"


class AgentEvent(StrEnum):
    """Reasons of the agents' events."""

    LIMITER_BYPASSED = "LimiterBypassed"
    """A worker uses a GPU past its limiter, or changed the page by which it is limited."""
    EVICTED = "EvictedForBypass"


# Objects of an installation
NAMESPACE = "tensor-fusion-autoscaler"
AGENT_NAMESPACE = "tensor-fusion-agent"
"""Of the agents: they need what Pod Security *restricted* of the other namespace forbids."""
CONTROL_CONFIG_MAP = "tensor-fusion-control"
"""Holds the process-wide mode and the pause key (``control``)."""
CERTIFICATE_SECRET = "tensor-fusion-webhook-certificate"  # noqa: S105 - a name, no secret
WEBHOOK_SERVICE = "tensor-fusion-webhook"
WEBHOOK_CONFIGURATION = "tensor-fusion-autoscaler"
"""Name of the mutating and of the validating configuration."""
TEMPLATE_WEBHOOK_CONFIGURATION = "tensor-fusion-autoscaler-templates"
"""Name of the validating configuration that only warns."""
CONTROLLER_LEASE = "tensor-fusion-controller"
AUTOSCALER_LEASE = "tensor-fusion-autoscaler"


class ServiceAccount(StrEnum):
    """One per process, in the installation's namespace; the agent's in its own."""

    WEBHOOK = "webhook"
    CONTROLLER = "controller"
    AUTOSCALER = "autoscaler"
    AGENT = "agent"

    def namespace(self, installation: str = NAMESPACE) -> str:
        """Return where the account is, in an installation of that namespace."""
        return AGENT_NAMESPACE if self is ServiceAccount.AGENT else installation


class FieldManager(StrEnum):
    """Owner of fields in server-side apply: one per process."""

    CONTROLLER = "tensor-fusion-controller"
    AUTOSCALER = "tensor-fusion-autoscaler"
    AGENT = "tensor-fusion-agent"
