"""Checks whether use is counted twice or mixed: several series per device, several clusters."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.findings import Finding, Status
from autoscaler.sources.prometheus.label_checks import (
    EXAMPLE_LABELS,
    NEEDED,
    recent_labels,
    short,
    words,
)
from autoscaler.sources.prometheus.probe import RECENT_S, Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from autoscaler.sources.prometheus.probe import Probe, Recent

    Labels = Mapping[str, str]
    Groups = Mapping[tuple[str, ...], Sequence[Labels]]
    """Label sets as the server writes them, by some of our labels."""

DEVICE = (*NEEDED, "uuid")
"""Our labels that tell one series of a metric from another."""
LABELS_OF_REPLICAS = frozenset(
    {"prometheus", "prometheus_replica", "replica", "__replica__", "receive_replica"}
)
"""What tells two servers apart that scrape the same targets."""
LABELS_OF_CLUSTERS = (
    "cluster",
    "cluster_name",
    "cluster_id",
    "k8s_cluster",
    "k8s_cluster_name",
    "kubernetes_cluster",
)
"""What tells the clusters apart that one server holds, the most usual name first."""
LABELS_OF_JOBS = ("job", "scrape_job", "service", "container", "endpoint")
"""What tells the scrapes of one exporter apart, the clearest first."""
EXAMPLE_VALUES = 3
SCRAPES_MISSED = 2
"""A series that is further behind the others has ended."""


def duplicates(probe: Probe) -> Iterator[Finding]:
    """Look for workers that have several series on one device, and for clusters that are mixed."""
    for metric, written, ours in recent_labels(probe):
        is_going_on = _going_on(probe.recent[metric])
        both = zip(written, ours, strict=True)
        pairs = [pair for pair, on in zip(both, is_going_on, strict=True) if on]
        of_device = _grouped(pairs, DEVICE)
        several = {key: found for key, found in of_device.items() if len(found) > 1}
        mixed = _mixed(_grouped(pairs, NEEDED[:2]))
        if several:
            finding = _twice(several, len(of_device))
        elif mixed:
            finding = _of_clusters(*mixed)
        else:
            finding = Finding(
                check=Check.DUPLICATES,
                status=Status.OK,
                text="Each worker has one series per device",
            )
        yield replace(finding, subjects=(metric,))


def _going_on(recent: Recent) -> list[bool]:
    """Return for each series whether it goes on.

    Of an exporter that has restarted, the old series ends where the new one begins.
    """
    longest_lag_s = SCRAPES_MISSED * (recent.spacing_s or RECENT_S)
    return [lag_s <= longest_lag_s for lag_s in recent.lag_s]


def _grouped(pairs: Sequence[tuple[Labels, Labels]], by: Sequence[str]) -> Groups:
    groups: defaultdict[tuple[str, ...], list[Labels]] = defaultdict(list)
    for written, ours in pairs:
        if ours.get("worker"):
            groups[tuple(ours.get(name, "") for name in by)].append(written)
    return groups


def _twice(several: Groups, workers: int) -> Finding:
    """Return the finding for devices with several series, of so many that were looked at."""
    (key, found), *_ = several.items()
    differing = sorted({name for each in several.values() for name in _differing(each)})
    return Finding(
        check=Check.DUPLICATES,
        status=Status.WARNING,
        text=f"{len(several)} of {workers} workers have several series per device, for example "
        f"{'/'.join(map(short, key[:3]))} has {len(found)}; they differ in "
        f"{words(_few(differing))}. Of samples at one time the largest counts",
        next_step=_next_for_duplicates(differing, several),
    )


def _next_for_duplicates(differing: Sequence[str], several: Groups) -> str:
    replicas = [name for name in differing if name in LABELS_OF_REPLICAS]
    others = [name for name in differing if name not in LABELS_OF_REPLICAS]
    clusters = [name for name in LABELS_OF_CLUSTERS if name in others]
    steps = []
    if replicas:
        steps.append(
            "Several servers scrape the same exporters. Ask an endpoint that deduplicates "
            "(Thanos: prometheus.parameters {dedup: 'true'}), or choose one server: "
            f"{_selector(replicas[0], several)}."
        )
    if clusters:
        steps.append(_next_for_clusters(clusters[0], several))
    elif others:
        jobs = [name for name in LABELS_OF_JOBS if name in others]
        steps.append(
            "Is the exporter scraped by several jobs, or does the server hold several clusters? "
            f"Choose one: {_selector([*jobs, *others][0], several)}."
        )
    return " ".join(steps)


def _mixed(of_workload: Groups) -> tuple[str, Groups, int] | None:
    """Return the label of clusters in which workloads differ within themselves, and these.

    The number is that of all workloads.  None where each workload is of one cluster.
    """
    for label in LABELS_OF_CLUSTERS:
        several = {
            key: found for key, found in of_workload.items() if len(_values(label, [found])) > 1
        }
        if several:
            return label, several, len(of_workload)
    return None


def _of_clusters(label: str, several: Groups, workloads: int) -> Finding:
    (key, found), *_ = several.items()
    return Finding(
        check=Check.DUPLICATES,
        status=Status.WARNING,
        text=f"{len(several)} of {workloads} workloads have workers in several clusters, for "
        f"example {'/'.join(map(short, key))} in {words(_few(_values(label, [found])))}. "
        "They are taken for one workload",
        next_step=_next_for_clusters(label, several),
    )


def _next_for_clusters(label: str, several: Groups) -> str:
    return f"The server holds several clusters. Choose one: {_selector(label, several)}."


def _selector(label: str, several: Groups) -> str:
    """Return the option that chooses among series, with the values that they have."""
    values = _values(label, several.values())
    shown = [short(value) for value in values[:EXAMPLE_VALUES]]
    more = ["another one"] if len(values) > EXAMPLE_VALUES else []
    return f"--selector {label}=VALUE, which is {words([*shown, *more], 'or')}"


def _values(label: str, groups: Iterable[Sequence[Labels]]) -> list[str]:
    """Return the values of a label, without the empty one, which no option can choose."""
    return sorted({value for found in groups for each in found if (value := each.get(label, ""))})


def _differing(found: Sequence[Labels]) -> Iterator[str]:
    """Yield the names of labels that are not the same in all of some label sets."""
    for name in {name for series in found for name in series}:
        if len({series.get(name, "") for series in found}) > 1:
            yield name


def _few(names: Sequence[str]) -> list[str]:
    shown = [short(name) for name in names[:EXAMPLE_LABELS]]
    more = len(names) - len(shown)
    return [*shown, f"{more} more"] if more else shown
