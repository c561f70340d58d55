"""The check of the history: how far back the measurements reach, and whether that is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.findings import Finding, Status
from autoscaler.sources.prometheus.chunks import HOUR_S
from autoscaler.sources.prometheus.probe import Check
from autoscaler.sources.prometheus.promql import over_time
from recommender.layers.confidence import FULL_SPAN_S
from recommender.sentences import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoscaler.sources.prometheus.probe import Probe
    from autoscaler.sources.source import Metric

HISTORY_QUERIES = 11
"""At most; each halves the time in which the history may begin."""


def history(probe: Probe) -> Iterator[Finding]:
    """Find how far back the measurements reach, by halving."""
    metric = probe.first_sized()
    if metric is None:
        return
    wanted = duration(probe.since_s)
    there_s, beyond_s = _history_s(probe, metric)
    if there_s >= probe.since_s:
        yield Finding(
            check=Check.HISTORY,
            subjects=(metric,),
            status=Status.OK,
            text=f"It reaches back the {wanted} that are read, or further",
        )
        return
    reached = f"at least {duration(there_s)}" if there_s else f"less than {duration(beyond_s)}"
    full = duration(FULL_SPAN_S)
    if there_s >= FULL_SPAN_S:
        meaning = f"enough for full confidence, which takes {full}"
        next_step = "What comes less often, such as once a week, is not in it."
    else:
        meaning = f"too little for full confidence, which takes {full}"
        next_step = "Recommendations are less sure until then."
    yield Finding(
        check=Check.HISTORY,
        subjects=(metric,),
        status=Status.WARNING,
        text=f"It reaches back {reached} of the {wanted} that are read "
        f"(report.since or --since): {meaning}",
        next_step=f"{next_step} If measuring began earlier, look at the retention of the server, "
        "or ask its long-term store.",
    )


def _history_s(probe: Probe, metric: Metric) -> tuple[int, int]:
    """Return how far back there are samples, and from where on there are none.

    The two are at most an hour or a 1024th of what is wanted apart.
    """
    selector = probe.selector(probe.names[metric])

    def has_samples(ago_s: int) -> bool:
        query = over_time("last_over_time", selector, HOUR_S)
        return probe.count(query, probe.now_s - ago_s) > 0

    if has_samples(probe.since_s):
        return probe.since_s, probe.since_s
    there_h, beyond_h = 0, -(-probe.since_s // HOUR_S)
    for _ in range(HISTORY_QUERIES - 1):
        middle_h = (there_h + beyond_h) // 2
        if middle_h == there_h:
            break
        if has_samples(middle_h * HOUR_S):
            there_h = middle_h
        else:
            beyond_h = middle_h
    return there_h * HOUR_S, min(beyond_h * HOUR_S, probe.since_s)
