"""Metric families of admission; their numbers are ``webhook_points``."""

from __future__ import annotations

from autoscaler.telemetry.family import Kind, family

ADMISSION_REQUESTS = family(
    "admission_requests_total",
    Kind.COUNTER,
    "Requests of the API server by webhook (pods, objects, templates) and by how they ended: "
    "allowed, patched, refused, bad_request, defect",
    "webhook",
    "outcome",
)
ADMISSION_DURATION = family(
    "admission_duration_seconds",
    Kind.HISTOGRAM,
    "Time from the last byte of a request to its answer, by webhook",
    "webhook",
)
ADMISSION_LIVE_GETS = family(
    "admission_live_gets_total",
    Kind.COUNTER,
    "Objects that the caches lacked and that were looked at live: found, absent, forbidden, "
    "timeout, failed",
    "outcome",
)
CERTIFICATE_EXPIRY = family(
    "serving_certificate_expiry_timestamp_seconds",
    Kind.GAUGE,
    "When the certificate ends that the webhook serves with; absent before the first",
)
CERTIFICATE_LOADS = family(
    "serving_certificate_loads_total", Kind.COUNTER, "Certificates that were taken into use"
)
CERTIFICATE_REFUSALS = family(
    "serving_certificate_refusals_total",
    Kind.COUNTER,
    "Certificates that cannot be served with, so that the one before stayed",
)

ADMISSION_FAMILIES = (
    ADMISSION_REQUESTS,
    ADMISSION_DURATION,
    ADMISSION_LIVE_GETS,
)
CERTIFICATE_FAMILIES = (
    CERTIFICATE_EXPIRY,
    CERTIFICATE_LOADS,
    CERTIFICATE_REFUSALS,
)
WEBHOOK_FAMILIES = (*ADMISSION_FAMILIES, *CERTIFICATE_FAMILIES)
