"""One snapshot of every part that exports metrics, with a number in each field."""

from types import MappingProxyType, SimpleNamespace

import numpy as np

from autoscaler.api.condition_reasons import ExternalReason
from autoscaler.kube.candidate import Standing
from autoscaler.kube.certificate_keeper import KeeperSnapshot
from autoscaler.kube.elector import ElectorSnapshot
from autoscaler.kube.event_recorder import EventCounts
from autoscaler.kube.lanes import Priority
from autoscaler.kube.reflector import CacheCounts
from autoscaler.kube.rotation_action import Action
from autoscaler.kube.work_queue import WorkQueueSnapshot
from autoscaler.kube.write_budget import WriteBudgetSnapshot
from autoscaler.scaling.live.writing.write_results import WriteOutcome
from autoscaler.scaling.running.counts.autoscaler_snapshot import AutoscalerSnapshot
from autoscaler.scaling.running.counts.duration_counts import (
    JOB_BUCKETS_S,
    STAGE_BUCKETS_S,
    DurationCounts,
)
from autoscaler.scaling.running.counts.fleet_table import FleetTable
from autoscaler.scaling.running.counts.forecast_counts import (
    NamedSnapshot,
    TrainedModel,
    TrainingFailure,
    TrainingSnapshot,
    UpkeepSnapshot,
)
from autoscaler.scaling.running.counts.job_counts import JobOutcome, JobSnapshot
from autoscaler.scaling.running.counts.promise_counts import Promise, PromiseSnapshot
from autoscaler.scaling.running.counts.tick_counts import (
    ChangeDirection,
    DecisionMode,
    TickSnapshot,
)
from autoscaler.scaling.running.health_gate import GatePart
from autoscaler.scaling.validating import Rejection
from autoscaler.webhook.counts import AdmissionCounts
from autoscaler.webhook.serving_certificate import CertificateCounts
from autoscaler.workloads.books.books_snapshot import BooksSnapshot, PoolCards
from autoscaler.workloads.controller_snapshot import ControllerSnapshot
from autoscaler.workloads.counts import (
    AdjustOutcome,
    ControllerCounts,
    Direction,
    ReconcileOutcome,
    WorkerPodAction,
)
from autoscaler.workloads.placement.placement_problems import WaitingSnapshot
from autoscaler.workloads.work import WorkKind
from recommender.forecast.gate import Gate
from recommender.forecast.named.reason import Reason
from recommender.forecast.promises import ForecastEvidence, LayerEvidence
from tests.autoscaler.workloads.entries import amounts


def certificate(**changes):
    values = {"loads": 2, "refusals": 1, "problem": "", "expires_s": 2e9, **changes}
    return CertificateCounts(**values)


def cache(**changes):
    values = {
        "resource": "gpupools.tensor-fusion.ai",
        "objects": 3,
        "age_s": 1.5,
        "relists": 4,
        "failures": 5,
        "listener_failures": 6,
        "last_error": "",
        "is_synced": True,
    }
    return CacheCounts(**{**values, **changes})


def queue():
    backlog = MappingProxyType(dict.fromkeys(Priority, 7))
    return WorkQueueSnapshot(
        backlog=backlog,
        delayed=1,
        in_hand=2,
        longest_in_hand_s=0.5,
        failing=3,
        handed_out=40,
        retries=5,
    )


def budget(**changes):
    values = {
        "rate_per_s": 100.0,
        "configured_per_s": 200.0,
        "taken": 50,
        "refused": 2,
        "throttled": 3,
        "paused_s": 0.5,
        "baseline_s": 0.004,
    }
    return WriteBudgetSnapshot(**{**values, **changes})


def elector(**changes):
    values = {
        "identity": "a",
        "standing": Standing.LEADING,
        "is_leader": True,
        "epoch": 9,
        "holder": "a",
        "changes": 1,
        "failures": 2,
        "last_error": "",
    }
    return ElectorSnapshot(**{**values, **changes})


def events():
    return EventCounts(
        recorded=9, written=4, repeated=3, dropped=2, failed=1, waiting=6, last_error=""
    )


def keeper(**changes):
    values = {
        "expires_s": 2e9,
        "authorities": 2,
        "known_endpoints": 3,
        "verified_endpoints": 2,
        "is_filled": True,
        "steps": {Action.ISSUE: 1},
    }
    return KeeperSnapshot(**{**values, **changes})


def controller(**changes):
    counts = ControllerCounts()
    counts.reconciled(WorkKind.POD, ReconcileOutcome.DONE, duration_s=0.5)
    counts.placed(waited_s=2.0)
    counts.released()
    counts.adjusted(Direction.UP, AdjustOutcome.CAPPED)
    counts.worker_pod(WorkerPodAction.CREATED)
    counts.drifted(1)
    counts.resync_failed()
    cards = PoolCards(
        pool="pool",
        gpu_model="NVIDIA A100-SXM4-80GB",
        cards=2,
        usable_cards=1,
        free_cards=0,
        capacity=amounts(200, 160),
        allocatable=amounts(150, 80),
        requested=amounts(10, 4),
    )
    values = {
        "counts": counts.snapshot(),
        "books": BooksSnapshot(pools=(cards,), in_flight=5, overbooked=("gpu-1",)),
        "waiting": WaitingSnapshot(
            pods={("pool", "NoGPUAvailable"): 2}, missing_gpus={("pool", "A100"): 3}
        ),
    }
    return ControllerSnapshot(**{**values, **changes})


def one_duration(ends_s, duration_s):
    counts = DurationCounts(ends_s)
    counts.observe(duration_s)
    return counts.durations()


def ticks():
    return TickSnapshot(
        ticks=5,
        decisions={("Saturated", DecisionMode.APPLY): 2},
        applied={("limits", ChangeDirection.UP): 3},
        apply_errors={"ApiUnavailableError": 1},
        refused=4,
        rejected={**dict.fromkeys(Rejection, 0), Rejection.PAUSED: 1},
        stage_times={"decide": one_duration(STAGE_BUCKETS_S, 0.3)},
        stage_errors={("collect", "SourceError"): 2},
        stage_success_s={"decide": 9.0},
    )


def autoscaler(**changes):
    job = JobSnapshot(
        runs={**dict.fromkeys(JobOutcome, 0), JobOutcome.DONE: 5},
        durations=one_duration(JOB_BUCKETS_S, 0.2),
        last_done_s=8.0,
        is_failing=True,
    )
    writes = {WriteOutcome.WRITTEN: 6, WriteOutcome.LATE: 2}
    values = {
        "ticks": ticks(),
        "jobs": {"tick": job},
        "gate": dict.fromkeys(GatePart, ()),
        "warming_progress_ratio": 0.5,
        "writes": {**dict.fromkeys(WriteOutcome, 0), **writes},
        "write_backlog": 7,
        "questions": {ExternalReason.ANSWERED: 5, ExternalReason.FAILED: 1},
        "promises": promises(),
        "upkeep": UpkeepSnapshot(training=training(), named=named()),
    }
    return AutoscalerSnapshot(**{**values, **changes})


def promises():
    return PromiseSnapshot(
        gates={("limits", "tflops", gate): int(gate) + 1 for gate in Gate if gate >= 0},
        promises={("limits", "tflops"): Promise(promised=0.01, realised=0.012)},
    )


def training():
    model = TrainedModel(rows=60_000, took_s=4.5, trained_s=7, version="af31")
    return TrainingSnapshot(
        models={("limits", "tflops", 600): model},
        failures={**dict.fromkeys(TrainingFailure, 0), TrainingFailure.TOO_LONG: 2},
    )


def named():
    failures = {**dict.fromkeys(Reason, 0), Reason.TOO_SHORT: 3}
    return NamedSnapshot(fitted=5, failing=1, busy=2, left_out=4, failures=failures)


def evidence(workloads=1, *, promised=0.01, realised=0.02):
    """Return evidence in which limits of the first of two resources state a risk."""
    nothing = np.full((workloads, 2), np.nan)
    stated = nothing.copy()
    stated[:, 0] = promised

    def layer(columns, promised):
        return LayerEvidence(
            gate=np.full((workloads, columns), int(Gate.OPEN)),
            promised=promised,
            realised=np.full((workloads, columns), realised),
            minutes=np.full((workloads, columns), 1000.0),
            loss_ratio=np.full((workloads, columns), 0.8),
            absence=np.zeros((workloads, columns), np.int64),
            shares=np.zeros((workloads, columns, 1)),
        )

    return ForecastEvidence(
        limits=layer(2, stated), requests=layer(2, nothing), replicas=layer(1, nothing[:, :1])
    )


def workload(**changes):
    values = {"namespace": "team", "workload": "chat", "pool": "pool", "gpu_model": "A100"}
    return SimpleNamespace(**{**values, **changes})


def table(*views, **changes):
    """Return a table in which the columns of one workload are 1.0 and 2.0."""
    views = views or (workload(),)
    amounts = np.tile([1.0, 2.0], (len(views), 1))
    values = {
        "views": views,
        "resources": ("tflops", "vram_bytes"),
        "request": amounts,
        "limit": amounts,
        "recommended_request": amounts,
        "recommended_limit": amounts,
        "recommended_lower": amounts,
        "recommended_upper": amounts,
        "confidence": amounts / 4,
        "last_sample_s": np.full((len(views), 2), 990),
        "replicas": np.full(len(views), 3.0),
        "recommended_replicas": np.full(len(views), 4.0),
        "replica_row": np.arange(len(views)),
        "evidence": evidence(len(views)),
    }
    return FleetTable(**{**values, **changes})


def all_parts(**changes):
    parts = {
        "admissions": AdmissionCounts().snapshot,
        "certificate": certificate,
        "caches": lambda: [cache()],
        "queue": queue,
        "budget": budget,
        "elector": elector,
        "events": events,
        "keeper": keeper,
        "controller": controller,
        "autoscaler": autoscaler,
    }
    return {**parts, **changes}
