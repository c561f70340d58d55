"""What the webhook's answers came to, as plain numbers.

The server observes, whoever serves metrics takes a snapshot.  The exposition is not here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from types import MappingProxyType

DURATION_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Upper ends, included, of all buckets but the last, which has none."""


class Webhook(StrEnum):
    """What the API server asks for."""

    PODS = "pods"
    OBJECTS = "objects"
    TEMPLATES = "templates"


class Outcome(StrEnum):
    """How a request of the API server ended."""

    ALLOWED = "allowed"
    """As it came, with or without warnings."""
    PATCHED = "patched"
    REFUSED = "refused"
    """By us, for a reason that the user was told."""
    BAD_REQUEST = "bad_request"
    """No AdmissionReview of v1, or too large."""
    DEFECT = "defect"
    """An error of ours."""


class LiveOutcome(StrEnum):
    """How a look for an object that the caches lack ended."""

    FOUND = "found"
    ABSENT = "absent"
    FORBIDDEN = "forbidden"
    TIMEOUT = "timeout"
    FAILED = "failed"
    """The API server did not answer as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionCountsSnapshot:
    """The counts at one moment; all of them since the process started."""

    requests: Mapping[tuple[Webhook, Outcome], int]
    """Every pair, also those that never occurred."""
    durations: Mapping[Webhook, tuple[int, ...]]
    """Requests by how long they took: one number per bucket, and the last for all longer ones."""
    duration_sums_s: Mapping[Webhook, float]
    live: Mapping[LiveOutcome, int]
    """Every outcome, also those that never occurred."""


class AdmissionCounts:
    """Counts what the webhook answers; any thread may use it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests = {(webhook, outcome): 0 for webhook in Webhook for outcome in Outcome}
        self._durations = {webhook: [0] * (len(DURATION_BUCKETS_S) + 1) for webhook in Webhook}
        self._duration_sums_s = dict.fromkeys(Webhook, 0.0)
        self._live = dict.fromkeys(LiveOutcome, 0)

    def observe(self, webhook: Webhook, outcome: Outcome, *, duration_s: float) -> None:
        """Count one request; the time is that from its last byte to the answer."""
        with self._lock:
            self._requests[webhook, outcome] += 1
            self._durations[webhook][bisect_left(DURATION_BUCKETS_S, duration_s)] += 1
            self._duration_sums_s[webhook] += duration_s

    def looked(self, outcome: LiveOutcome) -> None:
        """Count one look for an object that the caches lack."""
        with self._lock:
            self._live[outcome] += 1

    def snapshot(self) -> AdmissionCountsSnapshot:
        """Return the counts of now."""
        with self._lock:
            return AdmissionCountsSnapshot(
                requests=MappingProxyType(dict(self._requests)),
                durations=MappingProxyType(
                    {webhook: tuple(counts) for webhook, counts in self._durations.items()}
                ),
                duration_sums_s=MappingProxyType(dict(self._duration_sums_s)),
                live=MappingProxyType(dict(self._live)),
            )
