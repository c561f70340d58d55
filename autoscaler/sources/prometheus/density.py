"""How much there is to read of a selector, before it is read.

From it come the length of chunks, and whether a block holds more than one sample of a series: only
then do its mean and its maximum differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.sources.prometheus.promql import aggregate, over_time

if TYPE_CHECKING:
    from autoscaler.sources.prometheus.client import PrometheusClient
    from recommender.observation import Floats

WINDOW_S = 600
POINTS = 4
FEWEST_PER_WINDOW = 12
"""Scrapes a minute apart give 10 or 11 samples in 10 minutes; from 12 on they are closer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """What a few short windows of a time hold."""

    series: int
    """The most of any window."""
    has_several_per_block: bool


def density_of(
    client: PrometheusClient, selector: str, span: tuple[int, int], step_s: int
) -> Density:
    """Look at some windows of ``span``, the last one at its end, for blocks of ``step_s``.

    Where they are all empty, several samples per block are assumed, which is never wrong.
    """
    start_s, end_s = span
    every_s = max((end_s - start_s) // POINTS, 1)
    first_s = end_s - every_s * ((end_s - start_s - 1) // every_s)
    window_s = max(WINDOW_S, step_s)
    counts = over_time("count_over_time", selector, window_s)
    series = _finite(client.range(aggregate("count", counts), first_s, end_s, every_s).value)
    most = _finite(client.range(aggregate("max", counts), first_s, end_s, every_s).value)
    if not len(series) or not len(most):
        return Density(series=1, has_several_per_block=True)
    fewest = FEWEST_PER_WINDOW * window_s / WINDOW_S if step_s <= 60 else window_s / step_s + 1
    return Density(series=int(series.max()), has_several_per_block=bool(most.max() >= fewest))


def _finite(value: Floats) -> Floats:
    return value[np.isfinite(value)]
