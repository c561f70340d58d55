"""The rules of the Kubernetes VPA's histograms in plain Python, sample by sample: an oracle.

Written from the rules, not from the bank: no arrays, no reference time, weights are worked out from
the list of samples when somebody asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

EPSILON = 1e-4


@dataclass
class ScalarLayout:
    first: float
    largest: float
    growth: float = 1.05

    def __post_init__(self):
        ratio = self.largest * (self.growth - 1) / self.first + 1
        self.buckets = math.ceil(math.log(ratio) / math.log(self.growth)) + 1

    def start(self, bucket):
        return self.first * (self.growth**bucket - 1) / (self.growth - 1)

    def find(self, value):
        bucket = 0
        while bucket + 1 < self.buckets and self.start(bucket + 1) <= value:
            bucket += 1
        return bucket

    def reported(self, bucket):
        return self.start(min(bucket + 1, self.buckets - 1))


@dataclass
class ScalarHistogram:
    layout: ScalarLayout
    half_life_s: float
    samples: list[tuple[float, float, float]] = field(default_factory=list)
    """(value, time, weight)"""

    def add(self, value, ts, weight=1.0):
        self.samples.append((value, ts, weight))

    def weights(self):
        """Bucket to weight, where a sample of the newest time weighs 1."""
        newest = max(ts for _, ts, _ in self.samples)
        out = {}
        for value, ts, weight in self.samples:
            bucket = self.layout.find(value)
            decayed = weight * 2.0 ** ((ts - newest) / self.half_life_s)
            out[bucket] = out.get(bucket, 0.0) + decayed
        return out

    def percentile(self, level, *, is_load_weighted=False):
        if not self.samples:
            return math.nan
        weights = self.weights()
        filled = [bucket for bucket, weight in weights.items() if weight >= EPSILON]
        if not filled:
            return math.nan
        if is_load_weighted:
            weights = {b: w * self.layout.reported(b) for b, w in weights.items()}
        threshold = level * sum(weights.values())
        reached, total = max(filled), 0.0
        for bucket in sorted(weights):
            total += weights[bucket]
            if total >= threshold * (1 - 1e-12):
                reached = bucket
                break
        return self.layout.reported(min(max(reached, min(filled)), max(filled)))
