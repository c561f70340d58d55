"""Metric families of the autoscaler's process; numbers are ``autoscaler_points``."""

from __future__ import annotations

from autoscaler.telemetry.family import Kind, family
from autoscaler.telemetry.forecast_families import FORECAST_FAMILIES

TICKS = family("ticks_total", Kind.COUNTER, "Looks at the whole fleet")
DECISIONS = family(
    "decisions_total",
    Kind.COUNTER,
    "Numbers that were newly to be changed, by the reason that says most, in CamelCase as in "
    "reports, and by whether they were to be put in force: apply, dry_run",
    "reason",
    "mode",
)
APPLIED = family(
    "applied_total",
    Kind.COUNTER,
    "Numbers that were changed, by layer (requests, limits, replicas) and direction (up, down)",
    "layer",
    "direction",
)
APPLY_ERRORS = family(
    "apply_errors_total",
    Kind.COUNTER,
    "Statuses that could not be written for a decision: late, changed, gone, refused, unavailable, "
    "not leading, defect; or type of an error that ended the whole stage",
    "reason",
)
REFUSED = family(
    "changes_refused_total",
    Kind.COUNTER,
    "Changes that did not come about, also as they had been stated before",
)
REJECTED = family(
    "changes_rejected_total",
    Kind.COUNTER,
    "Changes that were dropped between decision and writing, by reason: gone, recreated, paused, "
    "not_enrolled, in_force_changed, stated_changed, above_card, request_above_limit, moved, "
    "replicas_held, warming, unhealthy",
    "reason",
)
STATUS_WRITES = family(
    "status_writes_total",
    Kind.COUNTER,
    "Statuses of workloads by what became of them: written, unchanged, late, changed, gone, "
    "refused, unavailable, not leading, defect",
    "outcome",
)
WRITE_BACKLOG = family(
    "write_backlog", Kind.GAUGE, "Workloads whose status waits to be written, or is being written"
)
CYCLE_DURATION = family(
    "cycle_duration_seconds",
    Kind.HISTOGRAM,
    "Time of each stage: upkeep (of forecasts), snapshot, collect, observe, decide, plan, "
    "validate, apply, show, checkpoint",
    "stage",
)
CYCLE_ERRORS = family(
    "cycle_errors_total",
    Kind.COUNTER,
    "Stages that ended with an error, by its type",
    "stage",
    "kind",
)
CYCLE_LAST_SUCCESS = family(
    "cycle_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When each stage last ended without an error; absent where it never did",
    "stage",
)
JOB_RUNS = family(
    "job_runs_total",
    Kind.COUNTER,
    "Runs of each job by how they ended: done, failed, missed (it was too late for it), skipped "
    "(the one before had not ended)",
    "job",
    "outcome",
)
JOB_DURATION = family("job_duration_seconds", Kind.HISTOGRAM, "Time of the runs of each job", "job")
JOB_LAST_SUCCESS = family(
    "job_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When each job was last done; absent where it never was",
    "job",
)
JOB_FAILING = family(
    "job_failing", Kind.GAUGE, "1 while the last run of a job failed, else 0", "job"
)
GATE_OPEN = family(
    "health_gate_open",
    Kind.GAUGE,
    "1 while a part is healthy (webhook, metrics); while one is not, only raises pass",
    "part",
)
QUESTIONS = family(
    "external_scaler_questions_total",
    Kind.COUNTER,
    "Questions to the external scalers of workloads by how they ended: Answered, NotAllowed, "
    "NoSecret, Failed",
    "outcome",
)
WARMING = family(
    "warming",
    Kind.GAUGE,
    "1 while the history is being read, so that only raises pass, else 0",
)
WARMING_PROGRESS = family(
    "warming_progress_ratio",
    Kind.GAUGE,
    "How much of the history was read; absent where it is not being read",
)

AUTOSCALER_FAMILIES = (
    TICKS,
    DECISIONS,
    APPLIED,
    APPLY_ERRORS,
    REFUSED,
    REJECTED,
    STATUS_WRITES,
    WRITE_BACKLOG,
    CYCLE_DURATION,
    CYCLE_ERRORS,
    CYCLE_LAST_SUCCESS,
    JOB_RUNS,
    JOB_DURATION,
    JOB_LAST_SUCCESS,
    JOB_FAILING,
    GATE_OPEN,
    QUESTIONS,
    WARMING,
    WARMING_PROGRESS,
    *FORECAST_FAMILIES,
)
