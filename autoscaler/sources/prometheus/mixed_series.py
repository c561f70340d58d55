"""Series that are taken for one although they are not: of several servers, or of several clusters.

Two servers that scrape the same exporters give each worker twice, and one server of several
clusters may hold a workload of the same name in each.  Usage is read all the same, so that it must
be told.  Nothing is asked of a server here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.printable import printable
from autoscaler.sources.prometheus.duplicate_checks import (
    LABELS_OF_CLUSTERS,
    LABELS_OF_JOBS,
    LABELS_OF_REPLICAS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscaler.sources.prometheus.last_values import Labels, LastValue

    Groups = Mapping[tuple[str, ...], Sequence[Labels]]
    """Label sets as the server has them, by worker and device or by workload."""

VALUES_KEPT = 5
_TELLING = (*LABELS_OF_CLUSTERS, *sorted(LABELS_OF_REPLICAS), *LABELS_OF_JOBS)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedSeries:
    """Devices or workloads that have series of several origins."""

    is_of_clusters: bool
    """Workloads with workers in several clusters; else devices with several series each."""
    count: int
    of: int
    """So many devices or workloads there are at all."""
    example: str
    """``namespace/workload/worker``, or ``namespace/workload``."""
    label: str
    """What tells the origins apart; of several labels the most telling one."""
    values: tuple[str, ...]
    """Of that label, the first few."""


def repeated(values: Iterable[LastValue]) -> MixedSeries | None:
    """Return devices that have several series of one name; None where there are none."""
    groups: defaultdict[tuple[str, ...], list[Labels]] = defaultdict(list)
    for value in values:
        groups[(*value.key, value.labels.get("uuid", ""))].append(value.written)
    several = {key: found for key, found in groups.items() if len(found) > 1}
    if not several:
        return None
    return _mixed(several, len(groups), _telling(several), length=3, is_of_clusters=False)


def of_clusters(values: Iterable[LastValue]) -> MixedSeries | None:
    """Return workloads with workers in several clusters; None where there are none."""
    groups: defaultdict[tuple[str, ...], list[Labels]] = defaultdict(list)
    for value in values:
        groups[value.key[:2]].append(value.written)
    for label in LABELS_OF_CLUSTERS:
        several = {key: found for key, found in groups.items() if len(_values(label, found)) > 1}
        if several:
            return _mixed(several, len(groups), label, length=2, is_of_clusters=True)
    return None


def _mixed(
    several: Groups, of: int, label: str, *, length: int, is_of_clusters: bool
) -> MixedSeries:
    values = sorted({value for found in several.values() for value in _values(label, found)})
    return MixedSeries(
        is_of_clusters=is_of_clusters,
        count=len(several),
        of=of,
        example="/".join(min(several)[:length]),
        label=printable(label),
        values=tuple(printable(value) for value in values[:VALUES_KEPT]),
    )


def _telling(several: Groups) -> str:
    """Return the label to choose by: a usual one, else one that differs within most devices."""
    differing = Counter(
        name
        for found in several.values()
        for name in {name for series in found for name in series}
        if len({series.get(name) for series in found}) > 1
    )
    usual = [name for name in _TELLING if name in differing]
    return usual[0] if usual else max(sorted(differing), key=differing.__getitem__)


def _values(label: str, found: Sequence[Labels]) -> set[str]:
    return {value for series in found if (value := series.get(label, ""))}
