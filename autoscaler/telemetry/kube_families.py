"""Metric families of what processes share towards the API server; numbers are ``kube_points``."""

from __future__ import annotations

from autoscaler.telemetry.family import Kind, family

CACHE_OBJECTS = family(
    "cache_objects", Kind.GAUGE, "Objects of the API server that a cache holds", "resource"
)
CACHE_SYNCED = family(
    "cache_synced", Kind.GAUGE, "1 once a cache has held a complete list, else 0", "resource"
)
CACHE_AGE = family(
    "cache_age_seconds",
    Kind.GAUGE,
    "Time since the API server was last heard of a resource; bookmarks come every minute",
    "resource",
)
CACHE_RELISTS = family(
    "cache_relists_total", Kind.COUNTER, "Complete lists after the first one", "resource"
)
CACHE_FAILURES = family(
    "cache_failures_total", Kind.COUNTER, "Lists and watches that failed", "resource"
)
CACHE_LISTENER_FAILURES = family(
    "cache_listener_failures_total",
    Kind.COUNTER,
    "Changes of a cache that a part of this process failed to take in",
    "resource",
)
QUEUE_BACKLOG = family(
    "queue_backlog",
    Kind.GAUGE,
    "Objects that wait to be looked at, by urgency: denial, saturation, raise, decrease, status",
    "priority",
)
QUEUE_DELAYED = family("queue_delayed", Kind.GAUGE, "Objects that are to be looked at later")
QUEUE_IN_HAND = family("queue_in_hand", Kind.GAUGE, "Objects that are being looked at")
QUEUE_LONGEST_IN_HAND = family(
    "queue_longest_in_hand_seconds",
    Kind.GAUGE,
    "For so long the oldest of these has been looked at; minutes mean a worker that is stuck",
)
QUEUE_FAILING = family("queue_failing", Kind.GAUGE, "Objects whose last attempt failed")
QUEUE_HANDED_OUT = family(
    "queue_handed_out_total", Kind.COUNTER, "Objects that were taken from the queue"
)
QUEUE_RETRIES = family(
    "queue_retries_total", Kind.COUNTER, "Objects that were put back because an attempt failed"
)
WRITE_RATE = family(
    "write_rate_per_second",
    Kind.GAUGE,
    "Writes to the API server that are allowed now; lowered while it throttles or is slow",
)
WRITE_RATE_CONFIGURED = family(
    "write_rate_configured_per_second", Kind.GAUGE, "Writes that are allowed at most"
)
WRITES = family("writes_total", Kind.COUNTER, "Writes to the API server that were allowed")
WRITES_REFUSED = family(
    "writes_refused_total", Kind.COUNTER, "Writes that would have had to wait for too long"
)
WRITES_THROTTLED = family(
    "writes_throttled_total", Kind.COUNTER, "Writes that the API server answered with 429"
)
WRITE_PAUSE = family(
    "write_pause_seconds",
    Kind.GAUGE,
    "How long from now nothing is written, because the API server asked to wait",
)
WRITE_BASELINE = family(
    "write_latency_baseline_seconds",
    Kind.GAUGE,
    "Median time of a write while the API server was quickest of late; absent before the first",
)
LEADER = family("leader", Kind.GAUGE, "1 while this process leads, else 0")
LEADER_EPOCH = family(
    "leader_epoch", Kind.GAUGE, "Number of this process' lead; absent where it never led"
)
LEADER_CHANGES = family(
    "leader_changes_total", Kind.COUNTER, "How often this process won or lost the lead"
)
LEADER_FAILURES = family(
    "leader_failures_total",
    Kind.COUNTER,
    "Attempts to read or renew the lease that the API server did not answer as asked",
)
EVENTS = family(
    "events_total",
    Kind.COUNTER,
    "Events by what became of them: written, repeated (counted on an earlier one), dropped (too "
    "many were waiting), failed",
    "result",
)
EVENTS_WAITING = family("events_waiting", Kind.GAUGE, "Events that wait to be written")
KEPT_CERTIFICATE_EXPIRY = family(
    "kept_certificate_expiry_timestamp_seconds",
    Kind.GAUGE,
    "When the certificate in the Secret ends; absent where there is none",
)
KEPT_AUTHORITIES = family(
    "kept_certificate_authorities",
    Kind.GAUGE,
    "Authorities that the webhook configurations trust; more than one while a rotation runs",
)
WEBHOOK_ENDPOINTS = family(
    "webhook_endpoints",
    Kind.GAUGE,
    "Webhook processes by what a fresh connection showed: verified, failed",
    "result",
)
WEBHOOK_FILLED = family(
    "webhook_configurations_filled",
    Kind.GAUGE,
    "1 while all webhook configurations lead to the webhook, else 0",
)
CERTIFICATE_STEPS = family(
    "certificate_steps_total",
    Kind.COUNTER,
    "Writes of the Secret of the certificate, by step of the rotation",
    "step",
)

CACHE_FAMILIES = (
    CACHE_OBJECTS,
    CACHE_SYNCED,
    CACHE_AGE,
    CACHE_RELISTS,
    CACHE_FAILURES,
    CACHE_LISTENER_FAILURES,
)
QUEUE_FAMILIES = (
    QUEUE_BACKLOG,
    QUEUE_DELAYED,
    QUEUE_IN_HAND,
    QUEUE_LONGEST_IN_HAND,
    QUEUE_FAILING,
    QUEUE_HANDED_OUT,
    QUEUE_RETRIES,
)
BUDGET_FAMILIES = (
    WRITE_RATE,
    WRITE_RATE_CONFIGURED,
    WRITES,
    WRITES_REFUSED,
    WRITES_THROTTLED,
    WRITE_PAUSE,
    WRITE_BASELINE,
)
ELECTOR_FAMILIES = (LEADER, LEADER_EPOCH, LEADER_CHANGES, LEADER_FAILURES)
EVENT_FAMILIES = (EVENTS, EVENTS_WAITING)
KEEPER_FAMILIES = (
    KEPT_CERTIFICATE_EXPIRY,
    KEPT_AUTHORITIES,
    WEBHOOK_ENDPOINTS,
    WEBHOOK_FILLED,
    CERTIFICATE_STEPS,
)
KUBE_FAMILIES = (
    *CACHE_FAMILIES,
    *QUEUE_FAMILIES,
    *BUDGET_FAMILIES,
    *ELECTOR_FAMILIES,
    *EVENT_FAMILIES,
    *KEEPER_FAMILIES,
)
