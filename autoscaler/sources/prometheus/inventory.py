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

from autoscaler.sources.prometheus.last_values import (
    Labels,
    LastValues,
    UnlabelledSeries,
    WorkerKey,
)
from autoscaler.sources.prometheus.mapping import Unit
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.labels import LabelTable
    from autoscaler.sources.prometheus.mapping import NameMapping, SeriesName
    from autoscaler.sources.prometheus.promql import Matcher
    from autoscaler.sources.prometheus.units import PeakTflops

DAY_S = 86400
READY_AFTER_S = 300
"""A worker that was measured so long ago is ready: a server says nothing better of it."""
LARGEST_AMOUNT = 2.0**53
"""Of TFLOPS, bytes or cards: nobody has so much, and from there on not every number is exact."""
MEASURED = (Metric.TFLOPS, Metric.COMPUTE_PERCENT, Metric.VRAM_BYTES)
"""Metrics whose samples show that a worker is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredWorker:
    """One worker that was measured within the last day."""

    key: WorkerKey
    is_alive: bool
    """It has a sample of the last minutes."""
    is_ready: bool
    """It is alive, and was measured five minutes ago."""
    labels: Labels
    """``gpu_model``, ``pool``, ``node`` and ``qos``, as its newest series have them."""
    gpu_count: int
    """Devices that it is measured on."""
    metrics: frozenset[Metric]
    """Of ``MEASURED``: what it is measured in."""
    in_force: Mapping[str, float]
    """``tflops-request`` and so on, in base units: the highest of its devices."""


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

    @property
    def metrics(self) -> frozenset[Metric]:
        """What the fleet is measured in; percent only where a worker has no TFLOPS."""
        found = {metric for worker in self.workers for metric in worker.metrics}
        compute = {Metric.TFLOPS, Metric.COMPUTE_PERCENT}
        if all(Metric.TFLOPS in w.metrics for w in self.workers if w.metrics & compute):
            found.discard(Metric.COMPUTE_PERCENT)
        return frozenset(found)


def read_inventory(
    client: PrometheusClient,
    mapping: NameMapping,
    table: LabelTable,
    *,
    peak_tflops: PeakTflops,
    now_s: int,
    reach_s: int = DAY_S,
    matchers: Sequence[Matcher] = (),
) -> Inventory:
    """Ask for everything that was measured in the ``reach_s`` seconds before ``now_s``.

    ``peak_tflops`` tells for which cards a share of the card is known in TFLOPS.  Raises
    ``SourceError``.
    """
    last = LastValues(client, table, tuple(matchers), now_s)
    seen: dict[WorkerKey, _Seen] = {}
    reach_s = max(reach_s, 2 * READY_AFTER_S)
    for metric in MEASURED:
        for name in mapping.metrics.get(metric, ()):
            if _look_for(last, seen, metric, name, peak_tflops, reach_s):
                break
    with_live = {key[:2] for key, worker in seen.items() if worker.is_alive}
    for side, name in mapping.in_force.items():
        _take_in_force(seen, side, last.of(name, last.recent_s), set())
        if any(key[:2] not in with_live for key in seen):
            # Workloads whose workers have all ended: what they had at last.
            _take_in_force(seen, side, last.of(name, reach_s), with_live)
    return Inventory(
        now_s=now_s,
        interval_s=last.interval_s,
        workers=tuple(_worker(key, seen[key]) for key in sorted(seen)),
        unlabelled=last.unlabelled,
        warnings=tuple(last.warnings),
    )


@dataclass(slots=True)
class _Seen:
    """What is known of one worker while answers come in."""

    labels: Labels = field(default_factory=lambda: MappingProxyType({}))
    is_alive: bool = False
    was_there: bool = False
    devices: set[str] = field(default_factory=set)
    live_devices: set[str] = field(default_factory=set)
    metrics: set[Metric] = field(default_factory=set)
    in_force: dict[str, float] = field(default_factory=dict)

    def note(self, labels: Labels, *, is_recent: bool) -> None:
        """Take over one series; what is recent wins, and what it lacks stays."""
        device = labels.get("uuid", "")
        self.devices.add(device)
        if is_recent:
            self.live_devices.add(device)
        if is_recent or not self.is_alive:
            self.labels = {**self.labels, **labels}
        else:
            self.labels = {**labels, **self.labels}
        self.is_alive |= is_recent
        self.was_there |= not is_recent


def _look_for(
    last: LastValues,
    seen: dict[WorkerKey, _Seen],
    metric: Metric,
    name: SeriesName,
    peak_tflops: PeakTflops,
    reach_s: int,
) -> bool:
    """Note who has series of this name; return whether there is any."""
    last.learn_interval(name)
    # Whoever is in both answers has been there for five minutes.
    earlier = last.of(name, reach_s - READY_AFTER_S, READY_AFTER_S)
    recent = last.of(name, last.recent_s)
    for found, is_recent in ((earlier, False), (recent, True)):
        for key, labels, _ in found:
            worker = seen.setdefault(key, _Seen())
            worker.note(labels, is_recent=is_recent)
            if _gives(metric, name, labels, peak_tflops):
                worker.metrics.add(metric)
    return bool(earlier or recent)


def _gives(metric: Metric, name: SeriesName, labels: Labels, peak_tflops: PeakTflops) -> bool:
    """Return whether a series is in this metric: a share is TFLOPS only where the card is known."""
    if metric is not Metric.TFLOPS or name.unit is Unit.BASE:
        return True
    return peak_tflops(labels) is not None


def _take_in_force(
    seen: Mapping[WorkerKey, _Seen],
    side: str,
    found: Sequence[tuple[WorkerKey, Labels, float]],
    but_of: set[tuple[str, str]],
) -> None:
    """Keep the highest amount of each worker's devices; one that cannot be is left out."""
    for key, _, amount in found:
        worker = seen.get(key)
        if worker is not None and key[:2] not in but_of and 0 < amount < LARGEST_AMOUNT:
            worker.in_force[side] = max(amount, worker.in_force.get(side, 0.0))


def _worker(key: WorkerKey, seen: _Seen) -> MeasuredWorker:
    return MeasuredWorker(
        key=key,
        is_alive=seen.is_alive,
        is_ready=seen.is_alive and seen.was_there,
        labels=seen.labels,
        # A series may not say which device it is of.
        gpu_count=max(1, len((seen.live_devices or seen.devices) - {""})),
        metrics=frozenset(seen.metrics),
        in_force=MappingProxyType(seen.in_force),
    )
