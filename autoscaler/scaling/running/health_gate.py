"""The health gate: while webhook or metrics are unhealthy, nothing passes but raises.

It is closed until both were seen healthy, and does not flap: a webhook counts as unhealthy once it
was so for a while, and as healthy at once.  What a closed gate lets pass is ``holding``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from threading import Lock
from types import MappingProxyType

LOOK_EVERY_S = 15.0
CLOSES_AFTER_S = 30.0
"""So long a webhook that was healthy may fail before the gate closes."""
LEAST_WITHOUT_METRICS_S = 60.0
TICKS_WITHOUT_METRICS = 4
NOT_LOOKED_AT = "the webhook was not looked at yet"
NOT_READ = "the metrics were not read yet"
_log = logging.getLogger(__name__)


class GatePart(StrEnum):
    """What has to be healthy."""

    WEBHOOK = "webhook"
    METRICS = "metrics"


def longest_without_metrics_s(tick_s: float) -> float:
    """Return for how long reading the metrics may fail."""
    return max(LEAST_WITHOUT_METRICS_S, TICKS_WITHOUT_METRICS * tick_s)


class HealthGate:
    """The gate of one process; any thread may use it.

    ``webhook`` returns what is wrong with the webhook now; None: no webhook is needed.
    """

    def __init__(
        self,
        webhook: Callable[[], Sequence[str]] | None,
        *,
        metrics_within_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._webhook = webhook
        self._metrics_within_s = metrics_within_s
        self._monotonic_s = monotonic_s
        self._lock = Lock()
        self._webhook_problems: tuple[str, ...] = (NOT_LOOKED_AT,) if webhook is not None else ()
        self._healthy_s: float | None = None
        """When the webhook was healthy last; None: never."""
        self._made_s = monotonic_s()
        self._read_s: float | None = None
        """When the metrics were read last; None: never."""
        self._told: tuple[str, ...] | None = None

    def look(self) -> None:
        """Look at the webhook."""
        if self._webhook is not None:
            found = tuple(self._webhook())
            now_s = self._monotonic_s()
            with self._lock:
                if not found:
                    self._healthy_s, self._webhook_problems = now_s, ()
                elif self._healthy_s is None or now_s - self._healthy_s >= CLOSES_AFTER_S:
                    self._webhook_problems = found
        self._tell()

    def metrics_were_read(self) -> None:
        """Note that the metrics were read just now."""
        with self._lock:
            self._read_s = self._monotonic_s()
        self._tell()

    def problems(self) -> tuple[str, ...]:
        """Return why the gate is closed, one sentence each; nothing: it is open."""
        found = self.by_part()
        return tuple(problem for part in GatePart for problem in found[part])

    def by_part(self) -> Mapping[GatePart, tuple[str, ...]]:
        """Return the problems of each part."""
        with self._lock:
            return MappingProxyType(
                {
                    GatePart.WEBHOOK: self._webhook_problems,
                    GatePart.METRICS: self._metrics_problems(),
                }
            )

    def _metrics_problems(self) -> tuple[str, ...]:
        since_s = self._made_s if self._read_s is None else self._read_s
        if self._monotonic_s() - since_s > self._metrics_within_s:
            return (f"the metrics could not be read for {self._metrics_within_s:g} s",)
        return (NOT_READ,) if self._read_s is None else ()

    def _tell(self) -> None:
        """Log each change; that nothing was seen yet is none."""
        problems = self.problems()
        if problems == self._told or (problems and {*problems} <= {NOT_LOOKED_AT, NOT_READ}):
            return
        self._told = problems
        if problems:
            _log.warning("the health gate is closed: only raises pass: %s", "; ".join(problems))
        else:
            _log.info("the health gate is open")
