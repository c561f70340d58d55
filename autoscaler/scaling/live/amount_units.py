"""Amounts in the units of views: TFLOPS in place of percent, where the peak of the GPU is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autoscaler.scaling.cluster import Amounts, amounts
from recommender.resources import COMPUTE_PERCENT, TFLOPS

NOTHING: Amounts = amounts()
_TFLOPS, _PERCENT = TFLOPS.name, COMPUTE_PERCENT.name


def in_tflops(values: Amounts, card: Amounts) -> Amounts:
    """Return amounts with percent turned into TFLOPS of a card, where its peak is known."""
    percent, peak_tflops = values.get(_PERCENT), card.get(_TFLOPS)
    if percent is None or not peak_tflops:
        return values
    rest = {name: value for name, value in values.items() if name != _PERCENT}
    return amounts({_TFLOPS: percent / 100.0 * peak_tflops, **rest})


def highest(values: Iterable[Mapping[str, float]]) -> Amounts:
    """Return the largest amount of each resource that some of the mappings have."""
    found: dict[str, float] = {}
    for each in values:
        for name, value in each.items():
            if value > found.get(name, -1.0):
                found[name] = value
    return amounts(found) if found else NOTHING
