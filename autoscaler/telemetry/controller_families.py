"""Metric families of the controller; their numbers are ``controller_points``."""

from __future__ import annotations

from autoscaler.telemetry.family import Kind, family

RECONCILES = family(
    "controller_reconciles_total",
    Kind.COUNTER,
    "Looks at objects by kind (pod, workload, gpu, pool, quota, connection) and by how they "
    "ended: done, retried, refused (by the API server), not_leading, defect",
    "kind",
    "outcome",
)
RECONCILE_DURATION = family(
    "controller_reconcile_duration_seconds",
    Kind.HISTOGRAM,
    "Time of a look at an object, its writes included, by kind",
    "kind",
)
PLACEMENT_DURATION = family(
    "placement_duration_seconds",
    Kind.HISTOGRAM,
    "Time from the creation of a pod to its placement on GPUs, in whole seconds as the API server "
    "tells it",
)
PLACEMENT_RELEASES = family(
    "placement_releases_total",
    Kind.COUNTER,
    "Placed pods that were deleted because the scheduler refused their node for too long",
)
PREEMPTED_WORKERS = family(
    "preempted_workers_total",
    Kind.COUNTER,
    "Workers that were evicted for one of higher quality of service, by their own",
    "qos",
)
WAITING_PODS = family(
    "waiting_pods",
    Kind.GAUGE,
    "Pods that wait for GPUs, by pool and reason: NoGPUAvailable, QuotaExceeded, InvalidWorker",
    "pool",
    "reason",
)
MISSING_GPUS = family(
    "missing_gpus",
    Kind.GAUGE,
    "GPUs that waiting pods lack, by pool and the model that they ask for (empty: any; other: all "
    "models beyond the first hundred)",
    "pool",
    "gpu_model",
)
POOL_GPUS = family(
    "pool_gpus",
    Kind.GAUGE,
    "GPUs by pool (empty: none selects their node), model and state: used, free, unusable",
    "pool",
    "gpu_model",
    "state",
)
POOL_TFLOPS_CAPACITY = family(
    "pool_tflops_capacity", Kind.GAUGE, "FP16 TFLOPS of a pool's GPUs", "pool", "gpu_model"
)
POOL_TFLOPS_ALLOCATABLE = family(
    "pool_tflops_allocatable",
    Kind.GAUGE,
    "FP16 TFLOPS that may be requested of a pool's GPUs, oversubscription included",
    "pool",
    "gpu_model",
)
POOL_TFLOPS_REQUESTED = family(
    "pool_tflops_requested",
    Kind.GAUGE,
    "FP16 TFLOPS that workers request of a pool's GPUs",
    "pool",
    "gpu_model",
)
POOL_VRAM_CAPACITY = family(
    "pool_vram_capacity_bytes", Kind.GAUGE, "VRAM of a pool's GPUs", "pool", "gpu_model"
)
POOL_VRAM_REQUESTED = family(
    "pool_vram_requested_bytes",
    Kind.GAUGE,
    "VRAM that workers request of a pool's GPUs",
    "pool",
    "gpu_model",
)
OVERBOOKED_GPUS = family(
    "overbooked_gpus",
    Kind.GAUGE,
    "GPUs of which more is requested than may be, because their capacity fell",
)
RESERVATIONS_IN_FLIGHT = family(
    "reservations_in_flight",
    Kind.GAUGE,
    "Workers whose placement or amounts were written, or are being written, and are not seen yet",
)
BOOKS_DRIFT = family(
    "books_drift_total",
    Kind.COUNTER,
    "GPUs whose books differed from the pods and were put right; anything above 0 is a defect",
)
RESYNC_FAILURES = family(
    "resync_failures_total",
    Kind.COUNTER,
    "Regular looks at everything that an error of ours ended; anything above 0 is a defect",
)
ADJUSTS = family(
    "worker_adjusts_total",
    Kind.COUNTER,
    "Changes of the amounts of running workers by direction (up, down) and by how they ended: "
    "applied, capped (by capacity or quota), failed",
    "direction",
    "outcome",
)
WORKER_PODS = family(
    "worker_pods_total",
    Kind.COUNTER,
    "Worker pods by what was done to them: created, deleted, replaced",
    "action",
)

CONTROLLER_FAMILIES = (
    RECONCILES,
    RECONCILE_DURATION,
    PLACEMENT_DURATION,
    PLACEMENT_RELEASES,
    PREEMPTED_WORKERS,
    WAITING_PODS,
    MISSING_GPUS,
    POOL_GPUS,
    POOL_TFLOPS_CAPACITY,
    POOL_TFLOPS_ALLOCATABLE,
    POOL_TFLOPS_REQUESTED,
    POOL_VRAM_CAPACITY,
    POOL_VRAM_REQUESTED,
    OVERBOOKED_GPUS,
    RESERVATIONS_IN_FLIGHT,
    BOOKS_DRIFT,
    RESYNC_FAILURES,
    ADJUSTS,
    WORKER_PODS,
)
