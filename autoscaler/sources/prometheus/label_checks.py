"""Checks of the labels: do the series say whose they are.

Whether one worker has several series is ``duplicate_checks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.findings import Finding, Status
from autoscaler.sources.prometheus.labels import LabelTable
from autoscaler.sources.prometheus.mapping import RENAMED
from autoscaler.sources.prometheus.probe import Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autoscaler.sources.prometheus.probe import Probe
    from autoscaler.sources.source import Metric

    Labels = Mapping[str, str]

NEEDED = ("namespace", "workload", "worker")
LABELS_OF_TARGETS = ("job", "service", "container", "app")
"""What a server or its service discovery says of the exporter itself."""
EXAMPLE_LABELS = 6
EXAMPLE_LETTERS = 60
"""Of each value in an example; Kubernetes has at most 63 in a label."""


def labels(probe: Probe) -> Iterator[Finding]:
    """Look whether each series names its namespace, workload and worker."""
    for metric, written, ours in recent_labels(probe):
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
                text=f"All {len(ours)} series name {words(NEEDED)}",
            )
            continue
        example, lacking = without[0]
        status = _status_without(probe, [names for _, names in without], len(ours))
        is_fault = status is not Status.OK
        yield Finding(
            check=Check.LABELS,
            subjects=(metric,),
            status=status,
            text=f"{len(without)} of {len(ours)} series are left out: they name no "
            f"{words(lacking, 'or')}{'' if is_fault else ', as cards that no pod uses'}, "
            f"for example {_shown(example)}",
            next_step=_next_for_missing(probe) if is_fault else "",
        )


def _status_without(probe: Probe, without: Sequence[Sequence[str]], all_: int) -> Status:
    """Return how bad it is that series lack some of ``NEEDED``: one list of names per series."""
    if len(without) == all_:
        return Status.FAILED
    # A card that no pod uses is measured too.
    is_idle = probe.mapping.takes_workload_of_pod and all("worker" in names for names in without)
    return Status.OK if is_idle else Status.WARNING


def _next_for_missing(probe: Probe) -> str:
    names = "; ".join(
        f"{label} from {words(names, 'or')}"
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
    for metric, written, _ in recent_labels(probe):
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
        read = f"The scrape has renamed labels of the exporter: {words(renamed)}. They are read"
        yield Finding(
            check=Check.HONOR_LABELS,
            subjects=(metric,),
            status=Status.OK if is_usual else Status.WARNING,
            text=f"{read}, which is usual where series are joined to workloads by pod"
            if is_usual
            else f"{read}, but queries and dashboards that use the plain names show the exporter",
            next_step=""
            if is_usual
            else "Set honorLabels: true in the ServiceMonitor or PodMonitor "
            "(honor_labels: true in a scrape configuration).",
        )


def exporter_labels(probe: Probe) -> Iterator[Finding]:
    """Look for a label ``workload`` that names the exporter in place of the workload."""
    for metric, written, ours in recent_labels(probe):
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
            f"{short(theirs[0])!r} is also the name of what was scraped",
            next_step="Set honorLabels: true and remove relabelling rules that write the label "
            "workload: as it is, the use of many workloads counts as that of one.",
        )


def _names_exporter(series: Labels, workload: str) -> bool:
    return any(series.get(name) == workload for name in LABELS_OF_TARGETS)


def recent_labels(
    probe: Probe,
) -> Iterator[tuple[Metric, Sequence[Labels], Sequence[Labels]]]:
    """Yield each sized metric with its label sets, as the server writes them and by our names."""
    for metric, recent in probe.recent.items():
        if recent.labels:
            table, rows = LabelTable(probe.mapping).rows(recent.labels)
            yield metric, recent.labels, [table[row] for row in rows.tolist()]


def words(names: Sequence[str], conjunction: str = "and") -> str:
    """Return names as a part of a sentence."""
    if not names:
        return "nothing"
    *first, last = names
    return f"{', '.join(first)} {conjunction} {last}" if first else last


def _shown(series: Labels) -> str:
    names = [name for name in series if name != "__name__"]
    shown = ", ".join(f'{short(name)}="{short(series[name])}"' for name in names[:EXAMPLE_LABELS])
    return f"{{{shown}{', ...' if len(names) > EXAMPLE_LABELS else ''}}}"


def short(text: str) -> str:
    """Return a name or value for an example."""
    return text if len(text) <= EXAMPLE_LETTERS else f"{text[:EXAMPLE_LETTERS]}..."
