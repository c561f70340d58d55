"""Checks of the labels: do the series say whose they are, and does each worker have one series."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from autoscaler.findings import Finding, Status
from autoscaler.sources.prometheus.labels import LabelTable
from autoscaler.sources.prometheus.mapping import RENAMED
from autoscaler.sources.prometheus.probe import RECENT_S, Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autoscaler.sources.prometheus.probe import Probe
    from autoscaler.sources.source import Metric

    Labels = Mapping[str, str]

NEEDED = ("namespace", "workload", "worker")
DEVICE = (*NEEDED, "uuid")
"""Our labels that tell one series of a metric from another."""
LABELS_OF_TARGETS = ("job", "service", "container", "app")
"""What a server or its service discovery says of the exporter itself."""
LABELS_OF_REPLICAS = frozenset(
    {"prometheus", "prometheus_replica", "replica", "__replica__", "receive_replica"}
)
"""What tells two servers apart that scrape the same targets."""
EXAMPLE_LABELS = 6
EXAMPLE_LETTERS = 60
"""Of each value in an example; Kubernetes has at most 63 in a label."""
SCRAPES_MISSED = 2
"""A series that is further behind the others has ended."""


def labels(probe: Probe) -> Iterator[Finding]:
    """Look whether each series names its namespace, workload and worker."""
    for metric, written, ours in _recent(probe):
        without = [
            (series, lacking)
            for series, own in zip(written, ours, strict=True)
            if (lacking := [name for name in NEEDED if not own.get(name)])
        ]
        if not without:
            yield Finding(
                check=Check.LABELS,
                subjects=(metric,),
                status=Status.OK,
                text=f"All {len(ours)} series name {_words(NEEDED)}",
            )
            continue
        example, lacking = without[0]
        yield Finding(
            check=Check.LABELS,
            subjects=(metric,),
            status=_status_without(probe, len(without), len(ours)),
            text=f"{len(without)} of {len(ours)} series are left out: they name no "
            f"{_words(lacking, 'or')}, for example {_shown(example)}",
            next_step=_next_for_missing(probe),
        )


def _status_without(probe: Probe, without: int, all_: int) -> Status:
    if without == all_:
        return Status.FAILED
    # a card that no pod uses is measured too
    return Status.OK if probe.mapping.takes_workload_of_pod else Status.WARNING


def _next_for_missing(probe: Probe) -> str:
    names = "; ".join(
        f"{label} from {_words(names, 'or')}"
        for label in NEEDED
        if (names := probe.mapping.labels.get(label, ()))
    )
    return (
        f"The mapping {probe.mapping.name} takes {names}. Look at the relabelling of the scrape, "
        "or name the labels by prometheus.mapping in the settings file."
    )


def honor_labels(probe: Probe) -> Iterator[Finding]:
    """Look for labels that the scrape has renamed."""
    known = {f"{RENAMED}{name}" for names in probe.mapping.labels.values() for name in names}
    for metric, written, _ in _recent(probe):
        renamed = sorted(known & {name for series in written for name in series})
        if not renamed:
            yield Finding(
                check=Check.HONOR_LABELS,
                subjects=(metric,),
                status=Status.OK,
                text="The scrape keeps the exporter's labels",
            )
            continue
        is_usual = probe.mapping.takes_workload_of_pod
        yield Finding(
            check=Check.HONOR_LABELS,
            subjects=(metric,),
            status=Status.OK if is_usual else Status.WARNING,
            text=f"The scrape has renamed labels of the exporter: {_words(renamed)}. "
            "They are read, but queries and dashboards that use the plain names show the exporter",
            next_step="Set honorLabels: true in the ServiceMonitor or PodMonitor "
            "(honor_labels: true in a scrape configuration).",
        )


def exporter_labels(probe: Probe) -> Iterator[Finding]:
    """Look for a label ``workload`` that names the exporter in place of the workload."""
    for metric, written, ours in _recent(probe):
        theirs = [
            own["workload"]
            for series, own in zip(written, ours, strict=True)
            if own.get("workload") and _names_exporter(series, own["workload"])
        ]
        if not theirs:
            yield Finding(
                check=Check.EXPORTER_LABELS,
                subjects=(metric,),
                status=Status.OK,
                text="No series names the exporter as its workload",
            )
            continue
        yield Finding(
            check=Check.EXPORTER_LABELS,
            subjects=(metric,),
            status=Status.FAILED if len(theirs) == len(ours) else Status.WARNING,
            text=f"{len(theirs)} of {len(ours)} series name the exporter as their workload: "
            f"{_short(theirs[0])!r} is also the name of what was scraped",
            next_step="Set honorLabels: true and remove relabelling rules that write the label "
            "workload: as it is, the use of many workloads counts as that of one.",
        )


def _names_exporter(series: Labels, workload: str) -> bool:
    return any(series.get(name) == workload for name in LABELS_OF_TARGETS)


def duplicates(probe: Probe) -> Iterator[Finding]:
    """Look for workers that have several series on one device."""
    for metric, written, ours in _recent(probe):
        of_device: defaultdict[tuple[str, ...], list[Labels]] = defaultdict(list)
        recent = probe.recent[metric]
        # Of an exporter that has restarted, the old series ends where the new one begins.
        longest_lag_s = SCRAPES_MISSED * (recent.spacing_s or RECENT_S)
        for series, own, lag_s in zip(written, ours, recent.lag_s, strict=True):
            if own.get("worker") and lag_s <= longest_lag_s:
                of_device[tuple(own.get(name, "") for name in DEVICE)].append(series)
        several = {key: found for key, found in of_device.items() if len(found) > 1}
        if not several:
            yield Finding(
                check=Check.DUPLICATES,
                subjects=(metric,),
                status=Status.OK,
                text="Each worker has one series per device",
            )
            continue
        (key, found), *_ = several.items()
        example = "/".join(map(_short, key[:3]))
        differing = sorted({name for each in several.values() for name in _differing(each)})
        yield Finding(
            check=Check.DUPLICATES,
            subjects=(metric,),
            status=Status.WARNING,
            text=f"{len(several)} of {len(of_device)} workers have several series per device, for "
            f"example {example} has {len(found)}; they differ in {_words(_few(differing))}. "
            "Of samples at one time the largest counts",
            next_step=_next_for_duplicates(differing),
        )


def _next_for_duplicates(differing: Sequence[str]) -> str:
    replicas = [name for name in differing if name in LABELS_OF_REPLICAS]
    if replicas and len(replicas) == len(differing):
        return (
            "Several servers scrape the same exporters. Ask an endpoint that deduplicates "
            "(Thanos: prometheus.parameters {dedup: 'true'}), or choose one server: "
            f"--selector {replicas[0]}=NAME."
        )
    return (
        "Is the exporter scraped by several jobs, or does the server hold several clusters? "
        "Choose one: --selector LABEL=VALUE."
    )


def _differing(found: Sequence[Labels]) -> Iterator[str]:
    """Yield the names of labels that are not the same in all of some label sets."""
    for name in {name for series in found for name in series}:
        if len({series.get(name) for series in found}) > 1:
            yield name


def _recent(
    probe: Probe,
) -> Iterator[tuple[Metric, Sequence[Labels], Sequence[Labels]]]:
    """Yield each sized metric with its label sets, as the server writes them and by our names."""
    for metric, recent in probe.recent.items():
        if recent.labels:
            table, rows = LabelTable(probe.mapping).rows(recent.labels)
            yield metric, recent.labels, [table[row] for row in rows.tolist()]


def _words(names: Sequence[str], conjunction: str = "and") -> str:
    *first, last = names
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def _shown(series: Labels) -> str:
    names = [name for name in series if name != "__name__"]
    shown = ", ".join(f'{_short(name)}="{_short(series[name])}"' for name in names[:EXAMPLE_LABELS])
    return f"{{{shown}{', ...' if len(names) > EXAMPLE_LABELS else ''}}}"


def _few(names: Sequence[str]) -> list[str]:
    shown = [_short(name) for name in names[:EXAMPLE_LABELS]]
    more = len(names) - len(shown)
    return [*shown, f"{more} more"] if more else shown


def _short(text: str) -> str:
    return text if len(text) <= EXAMPLE_LETTERS else f"{text[:EXAMPLE_LETTERS]}..."
