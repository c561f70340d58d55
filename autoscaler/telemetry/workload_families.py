"""Metric families of single workloads; their text is ``workload_text``.

What is in force and what is recommended carry the same labels, so that they can be joined.
"""

from __future__ import annotations

from autoscaler.telemetry.family import Kind, family

WORKLOAD_LABELS = ("namespace", "workload", "pool", "gpu_model")
AMOUNT_LABELS = (*WORKLOAD_LABELS, "resource")
_UNITS = "TFLOPS or bytes, per worker and GPU"

REQUEST = family("workload_request", Kind.GAUGE, f"Request in force, in {_UNITS}", *AMOUNT_LABELS)
LIMIT = family("workload_limit", Kind.GAUGE, f"Limit in force, in {_UNITS}", *AMOUNT_LABELS)
RECOMMENDED_REQUEST = family(
    "recommended_request", Kind.GAUGE, f"Recommended request, in {_UNITS}", *AMOUNT_LABELS
)
RECOMMENDED_LIMIT = family(
    "recommended_limit", Kind.GAUGE, f"Recommended limit, in {_UNITS}", *AMOUNT_LABELS
)
RECOMMENDED_LOWER = family(
    "recommended_lower",
    Kind.GAUGE,
    f"Below this a request is too low, in {_UNITS}",
    *AMOUNT_LABELS,
)
RECOMMENDED_UPPER = family(
    "recommended_upper",
    Kind.GAUGE,
    f"Above this a request is too high, in {_UNITS}",
    *AMOUNT_LABELS,
)
CONFIDENCE = family(
    "recommendation_confidence",
    Kind.GAUGE,
    "How well the use of a workload is known, 0 to 1",
    *AMOUNT_LABELS,
)
AGE = family(
    "recommendation_age_seconds",
    Kind.GAUGE,
    "Age of the newest sample behind the recommendation; absent where there is none",
    *AMOUNT_LABELS,
)
REPLICAS = family("workload_replicas", Kind.GAUGE, "Replicas that are wanted now", *WORKLOAD_LABELS)
RECOMMENDED_REPLICAS = family(
    "recommended_replicas", Kind.GAUGE, "Recommended replicas", *WORKLOAD_LABELS
)
RISK_PROMISED = family(
    "workload_risk_promised_ratio",
    Kind.GAUGE,
    "Share of minutes that may lie above what is in force, by layer (requests, limits); absent "
    "without a riskTarget",
    *AMOUNT_LABELS,
    "layer",
)
RISK_REALISED = family(
    "workload_risk_realised_ratio",
    Kind.GAUGE,
    "Share of minutes that did lie above what was in force; half of it is of the last 7 days",
    *AMOUNT_LABELS,
    "layer",
)

WORKLOAD_FAMILIES = (
    REQUEST,
    LIMIT,
    RECOMMENDED_REQUEST,
    RECOMMENDED_LIMIT,
    RECOMMENDED_LOWER,
    RECOMMENDED_UPPER,
    CONFIDENCE,
    AGE,
    REPLICAS,
    RECOMMENDED_REPLICAS,
    RISK_PROMISED,
    RISK_REALISED,
)
