"""One worker of a server: what its series say together.

Its devices' series come name by name, those of now and those of earlier apart.  How they are asked
for is ``inventory``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.sources.prometheus.last_values import Labels, WorkerKey
from autoscaler.sources.prometheus.mapping import Unit
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from autoscaler.sources.prometheus.mapping import SeriesName
    from autoscaler.sources.prometheus.owners import PodOwners


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
    """Of ``MEASURED``: what its use is given in; each device's compute in one metric only."""
    in_force: Mapping[str, float]
    """``tflops-request`` and so on, in base units: the highest of its devices."""
    has_shares_only: bool = False
    """Some device of a known card has percent and no TFLOPS: these follow from the share."""
    owner: str = ""
    """``Deployment/chat``; empty where the server does not say."""


When = tuple[str, bool]
"""Of a device: within the last minutes, or earlier."""


@dataclass(slots=True)
class SeenWorker:
    """What is known of one worker while answers come in."""

    labels: Labels = field(default_factory=lambda: MappingProxyType({}))
    is_alive: bool = False
    was_there: bool = False
    devices: set[str] = field(default_factory=set)
    live_devices: set[str] = field(default_factory=set)
    metrics: set[Metric] = field(default_factory=set)
    tflops: set[When] = field(default_factory=set)
    """Which devices have TFLOPS, and when."""
    shares: dict[When, bool] = field(default_factory=dict)
    """Which devices have percent, and when, to whether the card is known."""
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

    def take(self, metric: Metric, name: SeriesName, when: When, *, is_known_card: bool) -> None:
        """Note that the worker has a series of this metric."""
        if metric is Metric.COMPUTE_PERCENT:
            self.shares[when] = is_known_card
        elif metric is not Metric.TFLOPS:
            self.metrics.add(metric)
        elif name.unit is Unit.BASE or is_known_card:
            # a share is TFLOPS only where the card is known
            self.tflops.add(when)

    def _alone(self) -> set[bool]:
        """Return of the shares without TFLOPS beside them, whether their cards are known."""
        return {known for when, known in self.shares.items() if when not in self.tflops}

    def measured(self, key: WorkerKey, owners: PodOwners, *, gives_tflops: bool) -> MeasuredWorker:
        """Return what is known; ``gives_tflops``: the server has TFLOPS of other devices."""
        owner = owners.get((key[0], key[2]))
        alone = self._alone()
        has_shares_only = gives_tflops and True in alone
        metrics = set(self.metrics)
        if self.tflops or has_shares_only:
            metrics.add(Metric.TFLOPS)
        if False in alone or (alone and not gives_tflops):
            metrics.add(Metric.COMPUTE_PERCENT)
        return MeasuredWorker(
            key=key,
            is_alive=self.is_alive,
            is_ready=self.is_alive and self.was_there,
            labels=self.labels,
            # A series may not say which device it is of.
            gpu_count=max(1, len((self.live_devices or self.devices) - {""})),
            metrics=frozenset(metrics),
            in_force=MappingProxyType(self.in_force),
            has_shares_only=has_shares_only,
            owner="" if owner is None or owner.name != key[1] else str(owner),
        )
