"""Bucket boundaries of exponential histograms, by the rule of the Kubernetes VPA.

Bucket k covers ``[start(k), start(k + 1))`` with
``start(k) = first * (growth**k - 1) / (growth - 1)``; there are
``ceil(log_growth(largest * (growth - 1) / first + 1)) + 1`` buckets
(VPA, ``recommender/util/histogram_options.go``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Floats, Ints

GROWTH = 1.05
EPSILON = 1e-4
"""Weights below it count as nothing at the ends of a histogram; also VPA's value."""
LEARNED_SPAN = 1e5
"""largest / first bucket of a layout whose unit is not known beforehand."""
LEARNED_HEADROOM = 1e4
"""A learned layout's first bucket is the highest value seen divided by this."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One family of buckets, in multiples of a row's first bucket."""

    span: float
    """Largest value as a multiple of the first bucket."""
    growth: float = GROWTH
    epsilon: float = EPSILON

    @property
    def buckets(self) -> int:
        """Number of buckets."""
        ratio = self.span * (self.growth - 1) + 1
        return int(np.ceil(np.log(ratio) / np.log(self.growth))) + 1

    def starts(self) -> Floats:
        """Return the start of every bucket, in multiples of the first bucket, ``[buckets]``."""
        powers: Floats = np.power(self.growth, np.arange(self.buckets, dtype=np.float64))
        return (powers - 1) / (self.growth - 1)

    def reported(self) -> Floats:
        """Return what a percentile reports per bucket: its end; of the last one, its start."""
        starts = self.starts()
        return np.append(starts[1:], starts[-1])

    def find(self, multiples: Floats) -> Ints:
        """Return the bucket of values given in multiples of the first bucket; no NaN.

        Looked up among the starts and not by a logarithm, which puts about half of all starts
        into the bucket before their own.
        """
        bucket = np.searchsorted(self.starts(), multiples, side="right") - 1
        return np.maximum(bucket, 0)
