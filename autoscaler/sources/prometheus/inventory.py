"""Which workers a server measured lately, and what is in force for them.

A report needs a fleet, and a Prometheus alone can say most of it: who is there, since when, on
which cards, with which requests and limits.  A few instant queries answer that for the whole fleet;
none is per worker and none brings samples.  What is declared elsewhere is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.errors import QueryRejectedError
from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.compute import COMPUTE
from autoscaler.sources.prometheus.last_values import (
    LastValue,
    LastValues,
    UnlabelledSeries,
    WorkerKey,
)
from autoscaler.sources.prometheus.measured_worker import MeasuredWorker, SeenWorker
from autoscaler.sources.prometheus.mixed_series import MixedSeries, of_clusters, repeated
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.labels import LabelTable
    from autoscaler.sources.prometheus.mapping import NameMapping, SeriesName
    from autoscaler.sources.prometheus.owners import PodOwners
    from autoscaler.sources.prometheus.promql import Matcher
    from autoscaler.sources.prometheus.units import PeakTflops

READY_AFTER_S = 300
"""A worker that was measured so long ago is ready: a server says nothing better of it."""
LARGEST_AMOUNT = 2.0**53
"""Of TFLOPS, bytes or cards: nobody has so much, and from there on not every number is exact."""
MEASURED = (Metric.TFLOPS, Metric.COMPUTE_PERCENT, Metric.VRAM_BYTES)
"""Metrics whose samples show that a worker is there."""
SCRAPES_MISSED = 2
"""A series that is further behind has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a server knows of a fleet at one time."""

    now_s: int
    interval_s: int | None
    """The usual distance of scrapes; None where nothing was scraped in the last hour."""
    workers: tuple[MeasuredWorker, ...]
    """Ordered by key."""
    unlabelled: tuple[UnlabelledSeries, ...] = ()
    warnings: tuple[str, ...] = ()
    """What the server said of answers that it could not give in full."""
    refused: Mapping[str, QueryRejectedError] = field(default_factory=lambda: MappingProxyType({}))
    """Metric, or key of what is in force, to why the server refused it."""
    mixed: tuple[MixedSeries, ...] = ()
    """Series that are taken for one although they are not."""

    @property
    def metrics(self) -> frozenset[Metric]:
        """What the fleet is measured in."""
        return frozenset(metric for worker in self.workers for metric in worker.metrics)

    @property
    def has_shares_only(self) -> bool:
        """Whether TFLOPS of some device follow from its share of the card."""
        return any(worker.has_shares_only for worker in self.workers)


def read_inventory(
    client: PrometheusClient,
    mapping: NameMapping,
    table: LabelTable,
    *,
    peak_tflops: PeakTflops,
    now_s: int,
    reach_s: int = DAY_S,
    matchers: Sequence[Matcher] = (),
    owners: PodOwners = MappingProxyType({}),
) -> Inventory:
    """Ask for everything that was measured in the ``reach_s`` seconds before ``now_s``.

    ``peak_tflops`` tells for which cards a share of the card is known in TFLOPS, ``owners`` what
    the pods belong to.  What the server refuses is kept as such, and the rest goes on.  Raises
    other errors of ``SourceError``.
    """
    last = LastValues(client, table, tuple(matchers), now_s)
    seen: dict[WorkerKey, SeenWorker] = {}
    refused: dict[str, QueryRejectedError] = {}
    mixed: list[MixedSeries] = []
    reach_s = max(reach_s, 2 * READY_AFTER_S)
    for metric in MEASURED:
        for name in mapping.metrics.get(metric, ()):
            try:
                earlier, recent = _looked_for(last, name, reach_s)
                mixed += _mixed(last, name, recent)
            except QueryRejectedError as error:
                refused.setdefault(str(metric), error)
                continue
            _note(seen, metric, name, earlier, peak_tflops, is_recent=False)
            _note(seen, metric, name, recent, peak_tflops, is_recent=True)
            if earlier or recent:
                break
    _read_in_force(last, seen, mapping, reach_s, refused)
    gives_tflops = bool(mapping.metrics.get(Metric.TFLOPS)) and str(Metric.TFLOPS) not in refused
    return Inventory(
        now_s=now_s,
        interval_s=last.interval_s,
        workers=tuple(
            seen[key].measured(key, owners, gives_tflops=gives_tflops) for key in sorted(seen)
        ),
        unlabelled=last.unlabelled,
        warnings=tuple(last.warnings),
        refused=MappingProxyType(refused),
        mixed=tuple(mixed),
    )


def _read_in_force(
    last: LastValues,
    seen: Mapping[WorkerKey, SeenWorker],
    mapping: NameMapping,
    reach_s: int,
    refused: dict[str, QueryRejectedError],
) -> None:
    """Ask for what is in force, and note what the server refuses."""
    with_live = {key[:2] for key, worker in seen.items() if worker.is_alive}
    has_ended = any(key[:2] not in with_live for key in seen)
    for side, name in mapping.in_force.items():
        try:
            recent = last.of(name, last.recent_s)
            # Workloads whose workers have all ended: what they had at last.
            earlier = last.of(name, reach_s) if has_ended else []
        except QueryRejectedError as error:
            refused[side] = error
            continue
        _take_in_force(seen, side, recent, set())
        _take_in_force(seen, side, earlier, with_live)


def _looked_for(
    last: LastValues, name: SeriesName, reach_s: int
) -> tuple[list[LastValue], list[LastValue]]:
    """Return who had series of this name, and who has: in both is who was there for 5 minutes."""
    last.learn_interval(name)
    earlier = last.of(name, reach_s - READY_AFTER_S, READY_AFTER_S)
    return earlier, last.of(name, last.recent_s)


def _note(
    seen: dict[WorkerKey, SeenWorker],
    metric: Metric,
    name: SeriesName,
    found: Sequence[LastValue],
    peak_tflops: PeakTflops,
    *,
    is_recent: bool,
) -> None:
    for key, labels, _, _ in found:
        worker = seen.setdefault(key, SeenWorker())
        worker.note(labels, is_recent=is_recent)
        when = labels.get("uuid", ""), is_recent
        is_known_card = metric in COMPUTE and peak_tflops(labels) is not None
        worker.take(metric, name, when, is_known_card=is_known_card)


def _mixed(
    last: LastValues, name: SeriesName, recent: Sequence[LastValue]
) -> Iterator[MixedSeries]:
    """Yield what is mixed among series that go on: one that has just ended is followed by another.

    Which go on is asked for only where something may be mixed.
    """
    if last.interval_s is not None and (repeated(recent) or of_clusters(recent)):
        recent = last.of(name, SCRAPES_MISSED * last.interval_s)
    twice, clusters = repeated(recent), of_clusters(recent)
    if twice is not None:
        yield twice
    if clusters is not None and (twice is None or twice.label != clusters.label):
        yield clusters


def _take_in_force(
    seen: Mapping[WorkerKey, SeenWorker],
    side: str,
    found: Sequence[LastValue],
    but_of: set[tuple[str, str]],
) -> None:
    """Keep the highest amount of each worker's devices; one that cannot be is left out."""
    for key, _, amount, _ in found:
        worker = seen.get(key)
        if worker is not None and key[:2] not in but_of and 0 < amount < LARGEST_AMOUNT:
            worker.in_force[side] = max(amount, worker.in_force.get(side, 0.0))
