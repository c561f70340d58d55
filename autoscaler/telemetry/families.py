"""Every metric family that the autoscaler exports: the one table of names, types and labels.

The collectors export exactly these, and the reference page is made from them.  Values come from
snapshots (``snapshots``); how they become text is the client library's business (``exposition``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PREFIX = "tensorfusion_autoscaler_"


class Kind(StrEnum):
    """Types of the text format."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric family."""

    name: str
    """As in the text format; counters end with ``_total``."""
    kind: Kind
    meaning: str
    """One sentence without a full stop, as Prometheus' own help texts."""
    labels: tuple[str, ...] = ()


def _family(name: str, kind: Kind, meaning: str, *labels: str) -> Family:
    return Family(name=f"{PREFIX}{name}", kind=kind, meaning=meaning, labels=labels)


SOURCE_QUERIES = _family(
    "source_queries_total",
    Kind.COUNTER,
    "Queries to the metrics source by how they ended: ok, partial (answered with warnings), "
    "rejected, timeout, unavailable, bad_answer",
    "outcome",
)
SOURCE_RETRIES = _family(
    "source_query_retries_total",
    Kind.COUNTER,
    "Further attempts of queries that the source did not answer at first",
)
SOURCE_DURATION = _family(
    "source_query_duration_seconds",
    Kind.HISTOGRAM,
    "Time from a query to its decoded answer or its error, all attempts together",
)
SOURCE_SAMPLES = _family(
    "source_samples_total", Kind.COUNTER, "Samples in the answers of the metrics source"
)
SOURCE_ANSWER_BYTES = _family(
    "source_answer_bytes_total", Kind.COUNTER, "Bytes of the answers after decompression"
)
SOURCE_PARTIAL = _family(
    "source_partial_total",
    Kind.COUNTER,
    "Answers that came with warnings, so that something may be missing in them",
)
SOURCE_LAST_SUCCESS = _family(
    "source_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When the metrics source last answered a query; absent before the first answer",
)
USAGE_SAMPLES = _family(
    "usage_samples_total",
    Kind.COUNTER,
    "Samples by what the usage model did with them: accepted, or the reason why they were left "
    "out (startup, frozen, late, future, not_finite, negative)",
    "result",
)
USAGE_SATURATED = _family(
    "usage_saturated_samples_total",
    Kind.COUNTER,
    "Accepted samples that had reached the share in force, or were throttled for a fifth of the "
    "time: the demand behind them was higher",
)
USAGE_DUPLICATE = _family(
    "usage_duplicate_samples_total",
    Kind.COUNTER,
    "Accepted samples under a stamp that was known already, of which the larger counts",
)
USAGE_WORKLOADS = _family(
    "usage_workloads", Kind.GAUGE, "Workloads and GPU models that the usage model holds"
)
USAGE_WORKERS = _family("usage_workers", Kind.GAUGE, "Workers that the usage model holds")
COLLECT_ERRORS = _family(
    "collect_errors_total",
    Kind.COUNTER,
    "Reads of a metric that failed: rejected, timeout, unavailable, bad_answer",
    "metric",
    "kind",
)
COLLECT_PARTIAL = _family(
    "collect_partial_total",
    Kind.COUNTER,
    "Reads of a metric that were answered with warnings, so that something may be missing",
    "metric",
)
CHECKPOINT_BYTES = _family(
    "checkpoint_bytes", Kind.GAUGE, "Size of the last saved checkpoint; absent before the first"
)
CHECKPOINT_LAST_SUCCESS = _family(
    "checkpoint_last_success_timestamp_seconds",
    Kind.GAUGE,
    "When a checkpoint was last saved; absent before the first",
)

FAMILIES = (
    SOURCE_QUERIES,
    SOURCE_RETRIES,
    SOURCE_DURATION,
    SOURCE_SAMPLES,
    SOURCE_ANSWER_BYTES,
    SOURCE_PARTIAL,
    SOURCE_LAST_SUCCESS,
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
"""In the order of the reference page."""
