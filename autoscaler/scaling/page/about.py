"""What a process knows of itself for the head of its reports; it stays the same while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from recommender.report.thresholds import Thresholds

Promql = Callable[[str, str, str], Sequence[str]]
"""Takes resource, namespace and workload; returns the queries that repeat the evidence."""


def no_queries(_resource: str, _namespace: str, _workload: str) -> Sequence[str]:
    """Return no query: the source has none to show."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The process that serves the page."""

    source: str
    """Where usage comes from, without secrets, for example a server's address and mapping."""
    tool_version: str
    since_s: int
    """How much history is looked at."""
    step_s: int | None = None
    currency: str = "USD"
    thresholds: Thresholds = field(default_factory=Thresholds)
    price_source: str = ""
    """Where prices come from, for workloads that have one."""
    cluster: str | None = None
    promql: Promql = no_queries
    """Called on the loop's thread."""
    notes: tuple[str, ...] = ()
    """What a reader of every report must know."""
