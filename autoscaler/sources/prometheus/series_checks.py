"""Checks of what is measured: which series there are, how fresh, how dense."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.errors import QueryRejectedError
from autoscaler.findings import Finding, Status
from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.mappings import SHIPPED
from autoscaler.sources.prometheus.other_mappings import names_of_others
from autoscaler.sources.prometheus.probe import RECENT_S, SIZED_METRICS, Check
from autoscaler.sources.source import Metric
from recommender.sentences import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscaler.sources.prometheus.mapping import SeriesName
    from autoscaler.sources.prometheus.probe import Probe

STALE_S = 120
"""An older newest sample is worth a warning; limits act within seconds."""
DENSE_S = 15
"""Above this distance of samples limits follow bursts less closely."""
SPARSE_S = 60
"""Above this distance peaks are lost."""
EXPORTER_STEP = (
    "Look at the targets page of the server: is the exporter scraped, and does it export this "
    "series? Other names are given by prometheus.mapping in the settings file."
)
ENDED_STEP = "No worker runs, or the exporter is no longer scraped: look at its target."


def series(probe: Probe) -> Iterator[Finding]:
    """Look for each sized metric, and fail where none has samples."""
    found = list(_each_sized(probe))
    if any(recent.labels for recent in probe.recent.values()):
        yield from found
        return
    # What to do is said once, of all metrics.
    for each in found:
        said_below = each.next_step in {EXPORTER_STEP, ENDED_STEP}
        yield replace(each, next_step="") if said_below else each
    yield _no_usage(probe)


def _each_sized(probe: Probe) -> Iterator[Finding]:
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
    return Finding(
        check=Check.SERIES,
        subjects=(metric,),
        status=Status.OK if recent.labels else Status.WARNING,
        text=text,
        next_step="" if recent.labels else ENDED_STEP,
    )


def _no_usage(probe: Probe) -> Finding:
    """Return the verdict on a server of which no metric has samples of the last minutes."""
    if probe.first_sized() is None:
        text = "No usage was measured in the last day: nothing can be recommended"
        others = " ".join(names_of_others(probe))
        next_step = others or (
            f"Does a GPU worker run? {EXPORTER_STEP} Another kind of exporter is chosen by "
            f"--prometheus-mapping ({', '.join(SHIPPED)}).{_without_matchers(probe)}"
        )
    else:
        text = (
            f"No usage was measured in the last {duration(RECENT_S)}: limits and replicas cannot "
            "follow it, and a report tells of the time before"
        )
        next_step = ENDED_STEP
    return Finding(check=Check.SERIES, status=Status.FAILED, text=text, next_step=next_step)


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
    """Say how old the newest sample of each sized metric is, and fail where all have ended."""
    has_ended = not any(recent.labels for recent in probe.recent.values())
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
            status=_status_of_age(is_stale=is_stale, has_ended=has_ended),
            text=f"The newest sample is {duration(max(age_s, 0.0))} old",
            next_step="Is the exporter scraped, and does remote write keep up? Without samples "
            f"for {duration(RECENT_S)} limits return to the last safe value and replicas are not "
            "lowered."
            if is_stale
            else "",
        )


def _status_of_age(*, is_stale: bool, has_ended: bool) -> Status:
    if not is_stale:
        return Status.OK
    return Status.FAILED if has_ended else Status.WARNING


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


def listed(names: Sequence[SeriesName]) -> str:
    """Return names as users know them."""
    return ", ".join(map(str, names))


def counted_series(count: int) -> str:
    """Return ``1 series`` or ``2 series``."""
    return f"{count} series"
