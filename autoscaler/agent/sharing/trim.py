"""Corrects what launches are learned to cost by how long the card was busy.

That is possible only while one process is alone on its card: beside another, of its own worker too,
the driver reads every process as busy all the time.  Its figure counts the gaps between short
kernels and may be some percent off itself, so that it corrects only what lies further away than it
can be wrong; learned costs are exact to a few percent where they are not quite wrong.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

LEAST_K, MOST_K = 0.8, 3.0
"""Not lower: what was charged comes from a page that the worker can write."""
TRUSTED_RATIO = 0.12
"""The driver's figure may be wrong by so much."""
GAIN = 0.2
SAMPLES = 12
LATE_SAMPLES = 2
"""The driver's figure is late: so many samples may still count a neighbour that has gone."""
_LEAST_BUSY_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimSample:
    """What was seen between two samples of a card while one worker had it for itself."""

    busy_share: float
    """Of the card, as the driver tells it, 0 to 1."""
    charged_share: float
    """Device time that the worker was charged, before trim."""


class Trim:
    """The factor on the costs of one worker on one card."""

    def __init__(self, k: float = 1.0) -> None:
        self.k = min(max(k, LEAST_K), MOST_K)
        self._samples: deque[TrimSample] = deque(maxlen=SAMPLES)
        self._late = LATE_SAMPLES

    def observe(self, sample: TrimSample | None) -> float:
        """Return the factor after one sample of the card.

        None: the worker was not alone, or had a share that is none of time; the factor stays, and
        what was seen before no longer counts.
        """
        if sample is None:
            self._samples.clear()
            self._late = LATE_SAMPLES
            return self.k
        if self._late > 0:
            self._late -= 1
            return self.k
        self._samples.append(sample)
        busy = sum(each.busy_share for each in self._samples) / len(self._samples)
        charged = sum(each.charged_share for each in self._samples) / len(self._samples)
        if len(self._samples) == SAMPLES and busy > _LEAST_BUSY_SHARE and charged > 0:
            aim = _beyond_doubt(busy / charged)
            self.k = min(max(self.k * (aim / self.k) ** GAIN, LEAST_K), MOST_K)
        return self.k


def _beyond_doubt(ratio: float) -> float:
    """Return what remains of a ratio when the driver's figure is as wrong as it can be."""
    if ratio > 1.0 + TRUSTED_RATIO:
        return ratio / (1.0 + TRUSTED_RATIO)
    if ratio < 1.0 - TRUSTED_RATIO:
        return ratio / (1.0 - TRUSTED_RATIO)
    return 1.0
