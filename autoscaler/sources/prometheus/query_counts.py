"""What the queries of one source came to, as plain numbers.

The client observes, whoever serves metrics or looks for faults takes a snapshot.  Not here: the
exposition, and counts of samples after the usage model has judged them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from types import MappingProxyType

from autoscaler.errors import (
    QueryRejectedError,
    QueryTimeoutError,
    SourceError,
    SourceUnavailableError,
)

DURATION_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Upper ends, included, of all buckets but the last, which has none."""


class Outcome(StrEnum):
    """How a query ended, after all its attempts."""

    OK = "ok"
    PARTIAL = "partial"
    """Answered with warnings: something may be missing."""
    REJECTED = "rejected"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    BAD_ANSWER = "bad_answer"


ANSWERED = frozenset({Outcome.OK, Outcome.PARTIAL})
_OUTCOMES: Mapping[type[SourceError], Outcome] = MappingProxyType(
    {
        QueryRejectedError: Outcome.REJECTED,
        QueryTimeoutError: Outcome.TIMEOUT,
        SourceUnavailableError: Outcome.UNAVAILABLE,
    }
)


def outcome_of(error: SourceError) -> Outcome:
    """Return the outcome of a query that ended with an error."""
    return _OUTCOMES.get(type(error), Outcome.BAD_ANSWER)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCountsSnapshot:
    """The counts at one moment; all of them since the source was made."""

    queries: Mapping[Outcome, int]
    """Every outcome, also those that never occurred."""
    retries: int
    """Attempts beyond the first one of each query."""
    samples: int
    answer_bytes: int
    """Decoded bytes of the answers that were used."""
    durations: tuple[int, ...]
    """Queries per bucket, not cumulated: those of ``DURATION_BUCKETS_S`` and one above."""
    duration_sum_s: float
    last_success_s: float | None
    """UTC seconds of the last answer, partial or not."""
    last_error_s: float | None
    last_error: str | None

    @property
    def partial(self) -> int:
        """Return the number of partial answers."""
        return self.queries[Outcome.PARTIAL]


class QueryCounts:
    """Counts of one source; may be shared by clients on several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queries = dict.fromkeys(Outcome, 0)
        self._retries = 0
        self._samples = 0
        self._answer_bytes = 0
        self._durations = [0] * (len(DURATION_BUCKETS_S) + 1)
        self._duration_sum_s = 0.0
        self._last_success_s: float | None = None
        self._last_error_s: float | None = None
        self._last_error: str | None = None

    def observe(
        self,
        outcome: Outcome,
        *,
        duration_s: float,
        now_s: float,
        samples: int = 0,
        answer_bytes: int = 0,
        error: str | None = None,
    ) -> None:
        """Count one finished query; ``duration_s`` includes its retries, ``now_s`` is UTC."""
        with self._lock:
            self._queries[outcome] += 1
            self._samples += samples
            self._answer_bytes += answer_bytes
            self._durations[bisect_left(DURATION_BUCKETS_S, duration_s)] += 1
            self._duration_sum_s += duration_s
            if outcome in ANSWERED:
                self._last_success_s = now_s
            else:
                self._last_error_s = now_s
                self._last_error = error

    def retried(self) -> None:
        """Count one more attempt of a query."""
        with self._lock:
            self._retries += 1

    def snapshot(self) -> QueryCountsSnapshot:
        """Return a copy that no later query changes."""
        with self._lock:
            return QueryCountsSnapshot(
                queries=MappingProxyType(dict(self._queries)),
                retries=self._retries,
                samples=self._samples,
                answer_bytes=self._answer_bytes,
                durations=tuple(self._durations),
                duration_sum_s=self._duration_sum_s,
                last_success_s=self._last_success_s,
                last_error_s=self._last_error_s,
                last_error=self._last_error,
            )
