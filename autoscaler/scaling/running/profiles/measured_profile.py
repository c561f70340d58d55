"""The profile ``recommend-only``: workloads as the metrics show them, and nobody is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from autoscaler.api.control import Control
from autoscaler.scaling.fleet.measured_cluster import MeasuredCluster, fleet_reader
from autoscaler.scaling.fleet.measured_inventory import peaks_of
from autoscaler.scaling.running.metrics_access import MetricsAccess
from autoscaler.scaling.running.process import Surroundings
from autoscaler.sources.prometheus.mapping import Unit
from autoscaler.sources.source import Metric
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.prometheus_settings import PrometheusSettings
    from autoscaler.scaling.cards import GpuModels
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.fleet.stated import StatedWorkload
    from autoscaler.scaling.page.about import About
    from autoscaler.sources.prometheus.mapping import NameMapping
    from autoscaler.sources.recorded_usage import Key
    from recommender.resources import Resource


class MeasuredProfile:
    """All parts that the profile puts around the loop.

    Raises ``UsageError``, and a ``SourceError`` where the server cannot say who is measured: there
    is nothing to work with then.
    """

    def __init__(
        self,
        server: PrometheusSettings,
        clock: Clock,
        *,
        tick_s: float,
        stated: Mapping[Key, StatedWorkload],
        gpu_models: GpuModels,
    ) -> None:
        self.access = MetricsAccess(
            server,
            tick_s=tick_s,
            peak_tflops=peaks_of(stated, gpu_models),
            is_compute_given_once=True,
        )
        try:
            source = self.access.source
            self._cluster = MeasuredCluster(
                fleet_reader(source, stated=stated, gpu_models=gpu_models), clock
            )
            self._resources = sized_resources(server.mapping, self._cluster.snapshot())
        except BaseException:
            self.access.close()
            raise

    def surroundings(self, about: About) -> Surroundings:
        """Return what stands around the loop."""
        return Surroundings(
            cluster=self._cluster, resources=self._resources, control=Control, about=about
        )


def sized_resources(mapping: NameMapping, views: Sequence[WorkloadView]) -> tuple[Resource, ...]:
    """Return what can be sized: compute in TFLOPS wherever these, or the card, are known."""
    own = mapping.metrics.get(Metric.TFLOPS, ())
    has_tflops = any(name.unit is Unit.BASE for name in own)
    knows_cards = [TFLOPS.name in view.card for view in views]
    found = []
    if has_tflops or any(knows_cards) or not views:
        found.append(TFLOPS)
    if not has_tflops and not all(knows_cards):
        found.append(COMPUTE_PERCENT)
    if Metric.VRAM_BYTES in mapping.metrics or not found:
        found.append(VRAM)
    return tuple(found)
