"""Checks of what is measured: which series there are, how fresh, how dense, how far back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.errors import QueryRejectedError
from autoscaler.findings import Finding, Status
from autoscaler.sources.prometheus.probe import DAY_S, RECENT_S, SIZED_METRICS, Check
from autoscaler.sources.prometheus.promql import over_time
from autoscaler.sources.source import Metric
from recommender.sentences import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscaler.sources.prometheus.mapping import SeriesName
    from autoscaler.sources.prometheus.probe import Probe

HOUR_S = 3600
STALE_S = 120
"""An older newest sample is worth a warning; limits act within seconds."""
DENSE_S = 15
"""Above this distance of samples limits follow bursts less closely."""
SPARSE_S = 60
"""Above this distance peaks are lost."""
HISTORY_QUERIES = 11
"""At most; each halves the time in which the history may begin."""
EXPORTER_STEP = (
    "Look at the targets page of the server: is the exporter scraped, and does it export this "
    "series? Other names are given by prometheus.mapping in the settings file."
)


def series(probe: Probe) -> Iterator[Finding]:
    """Look for each sized metric, and fail where none has samples."""
    for metric in SIZED_METRICS:
        names = probe.mapping.metrics.get(metric, ())
        if not names:
            continue
        try:
            yield _sized(probe, metric, names)
        except QueryRejectedError as error:
            yield Finding(
                check=Check.SERIES,
                subjects=(metric,),
                status=Status.WARNING,
                text=f"The server refuses to read {listed(names)}: {error}",
                next_step="Is the type of this series one that the server can evaluate? Other "
                "names are given by prometheus.mapping in the settings file.",
            )
    if not any(probe.recent[metric].labels for metric in probe.recent):
        yield Finding(
            check=Check.SERIES,
            status=Status.FAILED,
            text=f"No usage was measured in the last {duration(RECENT_S)}: "
            "nothing can be recommended",
            next_step=f"Does a GPU worker run? {EXPORTER_STEP} Another kind of exporter is chosen "
            "by --prometheus-mapping (agent, greptimedb, dcgm)." + _without_matchers(probe),
        )


def _sized(probe: Probe, metric: Metric, names: Sequence[SeriesName]) -> Finding:
    found = probe.find(metric)
    if found is None:
        return Finding(
            check=Check.SERIES,
            subjects=(metric,),
            status=Status.WARNING,
            text=f"No series in the last day: {listed(names)}",
            next_step=EXPORTER_STEP,
        )
    name, in_a_day = found
    recent = probe.recent[metric] = probe.look(name)
    text = (
        f"{probe.selector(name)}: {counted_series(len(recent.labels))} in the last "
        f"{duration(RECENT_S)}, {in_a_day} in the last day"
    )
    before = names[: names.index(name)]
    if before:
        text += f"; used because there is no {listed(before)}"
    if recent.labels:
        return Finding(check=Check.SERIES, subjects=(metric,), status=Status.OK, text=text)
    return Finding(
        check=Check.SERIES,
        subjects=(metric,),
        status=Status.WARNING,
        text=text,
        next_step="No worker runs, or the exporter is no longer scraped: look at its target.",
    )


def _without_matchers(probe: Probe) -> str:
    """Return the sentence for a selector that excludes everything, else nothing."""
    if not probe.matchers:
        return ""
    names = (probe.mapping.metrics.get(metric, ()) for metric in SIZED_METRICS)
    wider = [probe.count(name.selector()) for alternatives in names for name in alternatives]
    if not any(wider):
        return ""
    chosen = ", ".join(map(str, probe.matchers))
    return f" There are series without {chosen}: look at --selector (prometheus.selector)."


def newest(probe: Probe) -> Iterator[Finding]:
    """Say how old the newest sample of each sized metric is."""
    for metric, recent in probe.recent.items():
        newest_s = recent.newest_s
        if newest_s is None:
            selector = probe.selector(probe.names[metric])
            newest_s = probe.number(f"max(max_over_time(timestamp({selector})[{DAY_S}s:60s]))")
        if newest_s is None:
            yield Finding(
                check=Check.NEWEST,
                subjects=(metric,),
                status=Status.SKIPPED,
                text="The server does not tell the stamp of the newest sample",
            )
            continue
        age_s = probe.now_s - newest_s
        is_stale = age_s > STALE_S
        yield Finding(
            check=Check.NEWEST,
            subjects=(metric,),
            status=Status.WARNING if is_stale else Status.OK,
            text=f"The newest sample is {duration(max(age_s, 0.0))} old",
            next_step="Is the exporter scraped, and does remote write keep up? Without samples "
            f"for {duration(RECENT_S)} limits return to the last safe value and replicas are not "
            "lowered."
            if is_stale
            else "",
        )


def interval(probe: Probe) -> Iterator[Finding]:
    """Say how far apart samples are."""
    spacings = {m: r.spacing_s for m, r in probe.recent.items() if r.spacing_s is not None}
    for metric, spacing_s in spacings.items():
        text = f"A sample every {duration(spacing_s)}"
        if spacing_s <= DENSE_S:
            yield Finding(check=Check.INTERVAL, subjects=(metric,), status=Status.OK, text=text)
            continue
        lost = (
            "peaks between two samples are lost, and VRAM may be sized too small"
            if spacing_s > SPARSE_S
            else "limits follow bursts less closely"
        )
        yield Finding(
            check=Check.INTERVAL,
            subjects=(metric,),
            status=Status.WARNING,
            text=f"{text}: {lost}",
            next_step="Scrape the exporter every 5 to 15 s (scrape_interval, or interval of its "
            "ServiceMonitor).",
        )


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
    yield Finding(
        check=Check.HISTORY,
        subjects=(metric,),
        status=Status.WARNING,
        text=f"It reaches back {reached} of the {wanted} that are read",
        next_step="Recommendations are less sure until there is more. If measuring began earlier, "
        "look at the retention of the server, or ask its long-term store.",
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


def listed(names: Sequence[SeriesName]) -> str:
    """Return names as users know them."""
    return ", ".join(map(str, names))


def counted_series(count: int) -> str:
    """Return ``1 series`` or ``2 series``."""
    return f"{count} series"
