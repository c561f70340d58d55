"""What is asked of a Prometheus for a report: which one, and which time in which resolution."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from autoscaler.cli.prometheus_flags import PrometheusFlags
from autoscaler.cli.stated_input import StatedInput, StatedOptions
from autoscaler.clock import SystemClock
from autoscaler.errors import UsageError
from autoscaler.sources.timestamps import iso
from recommender.durations import parse_duration_s

STEP = "--step"
SHORTEST_STEP_S, LONGEST_STEP_S = 60, 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredOptions:
    """What the user gave, unread."""

    server: PrometheusFlags = field(default_factory=PrometheusFlags)
    stated: StatedOptions = field(default_factory=StatedOptions)
    step: str | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """What names the server in another command; nothing where the settings name it."""
        url = self.server.url
        return () if url is None else ("--prometheus-url", shlex.quote(url))


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What is read: ``start_s <= ts < now_s``."""

    start_s: int
    now_s: int
    step_s: int | None
    """Resolution; None: minutes, and the last ones as they were scraped."""


def span_of(stated: StatedInput, step: str | None) -> Span:
    """Return what is to be read.  Raises ``UsageError``."""
    now_s = SystemClock().now_s()
    if stated.until_s is not None and stated.until_s > now_s:
        raise UsageError(f"--until: {iso(stated.until_s)} lies ahead; allowed: up to {iso(now_s)}")
    until_s = now_s if stated.until_s is None else stated.until_s
    return Span(
        start_s=(until_s - stated.since_s) // SHORTEST_STEP_S * SHORTEST_STEP_S,
        now_s=until_s,
        step_s=None if step is None else _step_s(step),
    )


def _step_s(text: str) -> int:
    step_s = parse_duration_s(text, STEP)
    is_whole = step_s >= SHORTEST_STEP_S and step_s % SHORTEST_STEP_S == 0
    if not is_whole or LONGEST_STEP_S % step_s:
        raise UsageError(f"{STEP}: {text!r} is not valid; allowed: whole minutes that divide 1h")
    return int(step_s)
