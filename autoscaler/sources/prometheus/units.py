"""What a server's number must be multiplied by to be in the unit of a metric, per series."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.sources.prometheus.mapping import Unit
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.sources.prometheus.mapping import SeriesName
    from recommender.observation import Floats

_PERCENT_OF = {Unit.CARD_RATIO: 100.0, Unit.CARD_PERCENT: 1.0}
"""Share of a card to percent."""
_OF_A_CARD = ("namespace", "workload", "gpu_model")
"""Labels that may tell on which card a series was measured."""

PeakTflops = Callable[[Mapping[str, str]], float | None]
"""FP16 peak of the card of a series, by its labels (our names); None where it is not known."""


def factors(
    metric: Metric,
    name: SeriesName,
    labels: Sequence[Mapping[str, str]],
    peak_tflops: PeakTflops,
    *,
    gives_tflops: bool,
) -> Floats:
    """Return the factor of each series; NaN: the series is not given in this metric.

    A share of a card becomes TFLOPS where the card's model is known.  Where ``gives_tflops`` says
    that shares are asked for as TFLOPS too, they stay percent elsewhere: each series is in one of
    the two.
    """
    if metric is Metric.COMPUTE_PERCENT and gives_tflops:
        name = as_share(name)
    if name.unit is Unit.BASE:
        return np.full(len(labels), name.scale)
    percent = name.scale * _PERCENT_OF[name.unit]
    if metric is Metric.TFLOPS:
        return percent / 100.0 * _peaks(labels, peak_tflops)
    if metric is Metric.COMPUTE_PERCENT and gives_tflops:
        return np.where(np.isnan(_peaks(labels, peak_tflops)), percent, np.nan)
    return np.full(len(labels), percent)


def as_share(name: SeriesName) -> SeriesName:
    """Return a name of percent as one of shares of the card, which it is in any case."""
    return replace(name, unit=Unit.CARD_PERCENT) if name.unit is Unit.BASE else name


def _peaks(labels: Sequence[Mapping[str, str]], peak_tflops: PeakTflops) -> Floats:
    """Return the FP16 peak of each series' card; NaN where the model is not known."""
    cards = [tuple(label.get(name, "") for name in _OF_A_CARD) for label in labels]
    # One look for all workers of a workload.
    peak_of = {
        card: peak_tflops(label) for card, label in dict(zip(cards, labels, strict=True)).items()
    }
    return np.array([np.nan if (p := peak_of[card]) is None else p for card in cards], np.float64)
