"""Corrects what launches are learned to cost by how long the card was busy.

That is possible only while one process is alone on its card: beside another, of its own worker too,
the driver reads every process as busy all the time.  Its figure counts the gaps between short
kernels and may be some percent off itself, so that it corrects only what lies further away than it
can be wrong; learned costs are exact to a few percent where they are not quite wrong.

It is late as well, by some tenths of a second to a second.  After each change of load, costs that
are right would seem wrong for so long: nothing is corrected unless load was steady all the while.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_K, MOST_K = 0.8, 3.0
"""Not lower: what was charged comes from a page that the worker can write."""
TRUSTED_RATIO = 0.12
"""The driver's figure may be wrong by so much."""
PARTS, SAMPLES_OF_PART = 3, 4
SAMPLES = PARTS * SAMPLES_OF_PART
"""Over which both figures are averaged: more time than the driver is late by."""
STEADY_RATIO, STEADY_SHARE = 0.05, 0.01
"""Load is steady where each part of the samples is so close to all of them; what seems to be wrong
because it is not quite steady is less than ``TRUSTED_RATIO``.  The driver tells whole percents."""
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

    def observe(self, sample: TrimSample | None) -> float:
        """Return the factor after one sample of the card.

        None: the worker was not alone, or had a share that is none of time; the factor stays, and
        what was seen before no longer counts.
        """
        if sample is None:
            self._samples.clear()
            return self.k
        self._samples.append(sample)
        if len(self._samples) == SAMPLES:
            self._correct()
        return self.k

    def _correct(self) -> None:
        """Set the factor to what all samples say, where load was steady."""
        busy = _steady_mean([each.busy_share for each in self._samples])
        charged = _steady_mean([each.charged_share for each in self._samples])
        if busy is None or charged is None or busy <= _LEAST_BUSY_SHARE or charged <= 0:
            return
        k = min(max(_beyond_doubt(busy / charged), LEAST_K), MOST_K)
        if k != self.k:
            # Which changes the load.
            self.k = k
            self._samples.clear()


def _steady_mean(shares: Sequence[float]) -> float | None:
    """Return the mean; None where some part of them is further away from it than steady ones."""
    mean = sum(shares) / SAMPLES
    allowed = mean * STEADY_RATIO + STEADY_SHARE
    for begin in range(0, SAMPLES, SAMPLES_OF_PART):
        part = sum(shares[begin : begin + SAMPLES_OF_PART]) / SAMPLES_OF_PART
        if abs(part - mean) > allowed:
            return None
    return mean


def _beyond_doubt(ratio: float) -> float:
    """Return what remains of a ratio when the driver's figure is as wrong as it can be."""
    if ratio > 1.0 + TRUSTED_RATIO:
        return ratio / (1.0 + TRUSTED_RATIO)
    if ratio < 1.0 - TRUSTED_RATIO:
        return ratio / (1.0 - TRUSTED_RATIO)
    return 1.0
