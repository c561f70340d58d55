from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.names import EventReason
from autoscaler.telemetry import controller_families as families
from autoscaler.telemetry.exposition import registry_of, render
from autoscaler.telemetry.family import PREFIX
from autoscaler.workloads.counts import (
    AdjustOutcome,
    Direction,
    ReconcileOutcome,
    WorkerPodAction,
)
from autoscaler.workloads.work import WorkKind
from tests.autoscaler.telemetry.parts import controller


def exported(**changes):
    text = render(registry_of(controller=lambda: controller(**changes))).decode()
    return {
        (sample.name.removeprefix(PREFIX), *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_waits_is_shown_by_pool():
    found = exported()

    waiting = ("waiting_pods", ("pool", "pool"), ("reason", "NoGPUAvailable"))
    assert found[waiting] == 2.0
    assert found["missing_gpus", ("gpu_model", "A100"), ("pool", "pool")] == 3.0


def test_capacity_and_requests_are_shown_by_pool_and_model():
    of_pool = ("gpu_model", "NVIDIA A100-SXM4-80GB"), ("pool", "pool")
    found = exported()

    assert found["pool_tflops_capacity", *of_pool] == 200.0
    assert found["pool_tflops_allocatable", *of_pool] == 150.0
    assert found["pool_tflops_requested", *of_pool] == 10.0
    assert found["pool_vram_capacity_bytes", *of_pool] == 160.0 * 2**30
    assert found["pool_vram_requested_bytes", *of_pool] == 4.0 * 2**30
    gpus = {state: found["pool_gpus", *of_pool, ("state", state)] for state in STATES}
    assert gpus == {"used": 1.0, "free": 0.0, "unusable": 1.0}
    assert found["overbooked_gpus",] == 1.0
    assert found["reservations_in_flight",] == 5.0


STATES = ("used", "free", "unusable")


def test_what_was_done_is_counted():
    found = exported()

    assert found["controller_reconciles_total", ("kind", "pod"), ("outcome", "done")] == 1.0
    assert found["controller_reconcile_duration_seconds_sum", ("kind", "pod")] == 0.5
    assert found["placement_duration_seconds_bucket", ("le", "2.0")] == 1.0
    assert found["placement_duration_seconds_sum",] == 2.0
    assert found["worker_adjusts_total", ("direction", "up"), ("outcome", "capped")] == 1.0
    assert found["worker_pods_total", ("action", "created")] == 1.0
    assert found["books_drift_total",] == 1.0
    assert found["resync_failures_total",] == 1.0
    assert found["placement_releases_total",] == 1.0
    assert found["preempted_workers_total", ("qos", "low")] == 0.0


def test_the_meanings_name_every_value_of_a_label():
    reasons = EventReason.NO_GPU_AVAILABLE, EventReason.QUOTA_EXCEEDED, EventReason.INVALID_WORKER
    for family, values in (
        (families.RECONCILES, (*WorkKind, *ReconcileOutcome)),
        (families.ADJUSTS, (*Direction, *AdjustOutcome)),
        (families.WORKER_PODS, tuple(WorkerPodAction)),
        (families.WAITING_PODS, reasons),
        (families.POOL_GPUS, STATES),
    ):
        assert [value for value in values if value not in family.meaning] == []
