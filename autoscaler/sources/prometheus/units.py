"""What a server's number must be multiplied by to be in the unit of a metric, per series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autoscaler.sources.prometheus.mapping import Unit
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from autoscaler.sources.prometheus.mapping import NameMapping, SeriesName
    from recommender.observation import Floats

_PERCENT_OF = {Unit.CARD_RATIO: 100.0, Unit.CARD_PERCENT: 1.0}
"""Share of a card to percent."""


def factors(
    metric: Metric,
    name: SeriesName,
    labels: Sequence[Mapping[str, str]],
    mapping: NameMapping,
    peak_tflops: Callable[[str], float | None],
) -> Floats:
    """Return the factor of each series; NaN: the series is not given in this metric.

    A share of a card becomes TFLOPS where the card's model is known, and stays percent elsewhere:
    each series is in one of the two.
    """
    if name.unit is Unit.BASE:
        return np.full(len(labels), name.scale)
    percent = name.scale * _PERCENT_OF[name.unit]
    if metric is Metric.TFLOPS:
        return percent / 100.0 * _peaks(labels, peak_tflops)
    if metric is Metric.COMPUTE_PERCENT and _has_tflops_of_shares(mapping):
        return np.where(np.isnan(_peaks(labels, peak_tflops)), percent, np.nan)
    return np.full(len(labels), percent)


def _has_tflops_of_shares(mapping: NameMapping) -> bool:
    names = mapping.metrics.get(Metric.TFLOPS, ())
    return any(name.unit is not Unit.BASE for name in names)


def _peaks(
    labels: Sequence[Mapping[str, str]], peak_tflops: Callable[[str], float | None]
) -> Floats:
    """Return the FP16 peak of each series' card; NaN where the model is not known."""
    models = [label.get("gpu_model", "") for label in labels]
    peak_of = {model: peak_tflops(model) for model in set(models)}
    return np.array([np.nan if (p := peak_of[model]) is None else p for model in models])
