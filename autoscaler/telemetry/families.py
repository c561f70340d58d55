"""Every metric family that the processes export: the one table of names, types and labels.

The collectors export exactly these, and the reference page is made from them.  Here stand those of
the metrics source and of the loop, and the list of all.  Values come from snapshots
(``snapshots`` and its neighbours); how they become text is the client library's business
(``exposition``).
"""

from __future__ import annotations

from autoscaler.telemetry.autoscaler_families import AUTOSCALER_FAMILIES
from autoscaler.telemetry.controller_families import CONTROLLER_FAMILIES
from autoscaler.telemetry.family import Kind, family
from autoscaler.telemetry.kube_families import KUBE_FAMILIES
from autoscaler.telemetry.webhook_families import WEBHOOK_FAMILIES
from autoscaler.telemetry.workload_families import WORKLOAD_FAMILIES

SOURCE_QUERIES = family(
    "source_queries_total",
    Kind.COUNTER,
    "Queries to the metrics source by how they ended: ok, partial (answered with warnings), "
    "rejected, timeout, unavailable, bad_answer",
    "outcome",
)
SOURCE_RETRIES = family(
    "source_query_retries_total",
    Kind.COUNTER,
    "Further attempts of queries that the source did not answer at first",
)
SOURCE_DURATION = family(
    "source_query_duration_seconds",
    Kind.HISTOGRAM,
    "Time from a query to its decoded answer or its error, all attempts together",
)
SOURCE_SAMPLES = family(
    "source_samples_total", Kind.COUNTER, "Samples in the answers of the metrics source"
)
SOURCE_ANSWER_BYTES = family(
    "source_answer_bytes_total", Kind.COUNTER, "Bytes of the answers after decompression"
)
SOURCE_PARTIAL = family(
    "source_partial_total",
    Kind.COUNTER,
    "Answers that came with warnings, so that something may be missing in them",
)
SOURCE_LAST_SUCCESS = family(
    "source_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When the metrics source last answered a query; absent before the first answer",
)
USAGE_SAMPLES = family(
    "usage_samples_total",
    Kind.COUNTER,
    "Samples by what the usage model did with them: accepted, or the reason why they were left "
    "out (startup, frozen, late, future, not_finite, negative)",
    "result",
)
USAGE_SATURATED = family(
    "usage_saturated_samples_total",
    Kind.COUNTER,
    "Accepted samples that had reached the share in force, or were throttled for a fifth of the "
    "time: the demand behind them was higher",
)
USAGE_DUPLICATE = family(
    "usage_duplicate_samples_total",
    Kind.COUNTER,
    "Accepted samples under a stamp that was known already, of which the larger counts",
)
USAGE_WORKLOADS = family(
    "usage_workloads", Kind.GAUGE, "Workloads and GPU models that the usage model holds"
)
USAGE_WORKERS = family("usage_workers", Kind.GAUGE, "Workers that the usage model holds")
COLLECT_ERRORS = family(
    "collect_errors_total",
    Kind.COUNTER,
    "Reads of a metric that failed: rejected, timeout, unavailable, bad_answer",
    "metric",
    "kind",
)
COLLECT_PARTIAL = family(
    "collect_partial_total",
    Kind.COUNTER,
    "Reads of a metric that were answered with warnings, so that something may be missing",
    "metric",
)
CHECKPOINT_BYTES = family(
    "checkpoint_bytes", Kind.GAUGE, "Size of the last saved checkpoint; absent before the first"
)
CHECKPOINT_LAST_SUCCESS = family(
    "checkpoint_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When a checkpoint was last saved; absent before the first",
)

SOURCE_FAMILIES = (
    SOURCE_QUERIES,
    SOURCE_RETRIES,
    SOURCE_DURATION,
    SOURCE_SAMPLES,
    SOURCE_ANSWER_BYTES,
    SOURCE_PARTIAL,
    SOURCE_LAST_SUCCESS,
)
LOOP_FAMILIES = (
    USAGE_SAMPLES,
    USAGE_SATURATED,
    USAGE_DUPLICATE,
    USAGE_WORKLOADS,
    USAGE_WORKERS,
    COLLECT_ERRORS,
    COLLECT_PARTIAL,
    CHECKPOINT_BYTES,
    CHECKPOINT_LAST_SUCCESS,
)
FAMILIES = (
    *SOURCE_FAMILIES,
    *LOOP_FAMILIES,
    *AUTOSCALER_FAMILIES,
    *WORKLOAD_FAMILIES,
    *WEBHOOK_FAMILIES,
    *CONTROLLER_FAMILIES,
    *KUBE_FAMILIES,
)
"""In the order of the reference page."""
