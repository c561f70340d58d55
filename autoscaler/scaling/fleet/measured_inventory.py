"""Whom a metrics server measured, and on which cards, for whoever makes a fleet of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.scaling.fleet.stated import card_model
from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.compute import COMPUTE
from autoscaler.sources.prometheus.inventory import read_inventory
from autoscaler.sources.prometheus.labels import LabelTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.scaling.cards import GpuModels
    from autoscaler.scaling.fleet.stated import StatedWorkload
    from autoscaler.sources.prometheus.inventory import Inventory
    from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
    from autoscaler.sources.prometheus.units import PeakTflops
    from autoscaler.sources.recorded_usage import Key


def peaks_of(stated: Mapping[Key, StatedWorkload], gpu_models: GpuModels) -> PeakTflops:
    """Return the look-up of a series' card: reported, of its workload's row, or the default."""

    def peak_tflops(labels: Mapping[str, str]) -> float | None:
        statement = stated.get((labels.get("namespace", ""), labels.get("workload", "")))
        model = card_model(labels.get("gpu_model", ""), statement, gpu_models)
        return None if model is None else model.fp16_tflops

    return peak_tflops


def measured_inventory(
    source: PrometheusSource, *, peak_tflops: PeakTflops, now_s: int, reach_s: int = DAY_S
) -> Inventory:
    """Ask who was measured in the ``reach_s`` seconds before ``now_s``.

    Where some have shares of their card only, the source gives these in place of their TFLOPS from
    then on.  Raises ``SourceError``.
    """
    source.owners.refresh(now_s)
    inventory = read_inventory(
        source.client,
        source.mapping,
        LabelTable(source.mapping, source.owners.owner_of),
        peak_tflops=peak_tflops,
        now_s=now_s,
        reach_s=reach_s,
        matchers=source.matchers,
        owners=source.owners.exact,
    )
    if inventory.has_shares_only or inventory.metrics >= COMPUTE:
        source.give_compute_once()
    return inventory
