"""Families of load: what workloads of a kind would use if nothing held them back.

A family turns times into demand.  TFLOPS are those of the whole workload where its workers share
one load (serving), else those of each worker (training); VRAM is what each worker holds.  Noise
comes from the generator that is passed in, so a seed gives the same load again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from recommender.observation import Bools, Floats, Ints
from recommender.resources import GIB

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_S = 86400
HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Demand of one workload over time, ``[T]`` each."""

    tflops: Floats
    vram_bytes: Floats
    is_missing: Bools
    """Samples that never reach the metrics source."""
    restarts_s: tuple[int, ...] = ()
    """Times at which all workers start again."""


class Load(Protocol):
    """A family with its parameters."""

    def trace(self, ts: Ints, rng: np.random.Generator) -> Trace:
        """Return the demand at ``ts`` (UTC seconds, ascending, evenly spaced)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DiurnalServing:
    """LLM serving: follows the working day, holds weights and a cache that grows with load."""

    night_tflops: float
    day_tflops: float
    weights_bytes: float
    cache_bytes: float
    peak_hour: float = 14.0
    noise_ratio: float = 0.06

    def trace(self, ts: Ints, rng: np.random.Generator) -> Trace:
        """Return the demand at ``ts``."""
        angle = 2 * np.pi * ((ts % DAY_S) / HOUR_S - self.peak_hour) / 24.0
        activity = (0.5 + 0.5 * np.cos(angle)) ** 1.5
        tflops = self.night_tflops + (self.day_tflops - self.night_tflops) * activity
        tflops = tflops * _noise(len(ts), self.noise_ratio, rng)
        cache = self.cache_bytes * tflops / self.day_tflops
        return _trace(tflops, self.weights_bytes + np.clip(cache, 0.0, 1.2 * self.cache_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursty:
    """Quiet, with bursts of a few minutes at random times and, if wanted, at stated ones."""

    base_tflops: float
    burst_tflops: float
    vram_bytes: float
    bursts_per_day: float = 8.0
    burst_s: int = 600
    stated_bursts_s: tuple[int, ...] = ()
    """Starts of certain bursts, as offsets from the first moment."""

    def trace(self, ts: Ints, rng: np.random.Generator) -> Trace:
        """Return the demand at ``ts``."""
        span_s = int(ts[-1] - ts[0]) + 1
        number = rng.poisson(self.bursts_per_day * span_s / DAY_S)
        starts = np.concatenate([rng.uniform(0, span_s, number), self.stated_bursts_s])
        offset = (ts - ts[0])[:, None]
        is_burst = ((offset >= starts) & (offset < starts + self.burst_s)).any(axis=1)
        tflops = np.where(is_burst, self.burst_tflops, self.base_tflops)
        return _trace(
            tflops * _noise(len(ts), 0.08, rng), self.vram_bytes * np.where(is_burst, 1.05, 1.0)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTraining:
    """Training: full use in epochs, short pauses for checkpoints, constant VRAM."""

    tflops: float
    vram_bytes: float
    epoch_s: int = 2700
    pause_s: int = 180

    def trace(self, ts: Ints, rng: np.random.Generator) -> Trace:
        """Return the demand at ``ts``."""
        is_pause = (ts - ts[0]) % self.epoch_s >= self.epoch_s - self.pause_s
        tflops = np.where(is_pause, 0.03, 1.0) * self.tflops
        return _trace(tflops * _noise(len(ts), 0.02, rng), np.full(len(ts), self.vram_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A notebook that somebody left open: VRAM held, hardly any work."""

    vram_bytes: float
    tflops: float = 0.2

    def trace(self, ts: Ints, rng: np.random.Generator) -> Trace:
        """Return the demand at ``ts``."""
        tflops = self.tflops * rng.exponential(1.0, len(ts))
        return _trace(np.minimum(tflops, 3.0), np.full(len(ts), self.vram_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowingVram:
    """A leak or a growing index: VRAM rises steadily."""

    tflops: float
    first_vram_bytes: float
    vram_bytes_per_day: float

    def trace(self, ts: Ints, rng: np.random.Generator) -> Trace:
        """Return the demand at ``ts``."""
        days = (ts - ts[0]) / DAY_S
        return _trace(
            self.tflops * _noise(len(ts), 0.1, rng),
            self.first_vram_bytes + self.vram_bytes_per_day * days,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A stated course: from each offset on, so much."""

    points: tuple[tuple[int, float, float], ...]
    """(offset in seconds from the first moment, TFLOPS, VRAM in GiB), ascending."""
    noise_ratio: float = 0.0

    def trace(self, ts: Ints, rng: np.random.Generator) -> Trace:
        """Return the demand at ``ts``."""
        offset_s, tflops, vram_gib = np.array(self.points, np.float64).T
        at = np.maximum(np.searchsorted(offset_s, ts - ts[0], side="right") - 1, 0)
        noise = _noise(len(ts), self.noise_ratio, rng)
        return _trace(tflops[at] * noise, vram_gib[at] * GIB)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStarts:
    """Another load whose workers start again every few hours: model loading, then Ready."""

    load: Load
    every_s: int = 6 * HOUR_S

    def trace(self, ts: Ints, rng: np.random.Generator) -> Trace:
        """Return the demand at ``ts``."""
        restarts = np.arange(int(ts[0]) + self.every_s, int(ts[-1]) + 1, self.every_s)
        return replace(self.load.trace(ts, rng), restarts_s=tuple(restarts.tolist()))


@dataclass(frozen=True, slots=True, kw_only=True)
class WithGaps:
    """Another load, with stretches of which no sample arrives."""

    load: Load
    gaps_per_day: float = 6.0
    gap_s: int = 1800
    stated_gaps_s: tuple[tuple[int, int], ...] = ()
    """(start, end) of certain gaps, as offsets from the first moment."""

    def trace(self, ts: Ints, rng: np.random.Generator) -> Trace:
        """Return the demand at ``ts``."""
        inner = self.load.trace(ts, rng)
        span_s = int(ts[-1] - ts[0]) + 1
        starts = rng.uniform(0, span_s, rng.poisson(self.gaps_per_day * span_s / DAY_S))
        offset = ts - ts[0]
        is_missing = inner.is_missing.copy()
        for start, end in (*((s, s + self.gap_s) for s in starts), *self.stated_gaps_s):
            is_missing |= (offset >= start) & (offset < end)
        return replace(inner, is_missing=is_missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLoad:
    """Recorded use as demand: each sample holds until the next one.

    Missing where the record has no sample for longer than ``gap_s``, and nothing before its first.
    A recording that is shorter than the simulation is repeated from its beginning.
    """

    ts: Ints = field(repr=False)
    tflops: Floats = field(repr=False)
    vram_bytes: Floats = field(repr=False)
    begin_s: int
    """Of the recording, which stands for the first moment: others may have begun before."""
    end_s: int
    gap_s: int = 900

    def trace(self, ts: Ints, rng: np.random.Generator) -> Trace:  # noqa: ARG002
        """Return the demand at ``ts``."""
        wanted = self.begin_s + (ts - ts[0]) % (self.end_s - self.begin_s)
        at = np.searchsorted(self.ts, wanted, side="right") - 1
        has_begun = at >= 0
        at = np.maximum(at, 0)
        return Trace(
            tflops=np.where(has_begun, np.nan_to_num(self.tflops[at]), 0.0),
            vram_bytes=np.where(has_begun, np.nan_to_num(self.vram_bytes[at]), 0.0),
            is_missing=~has_begun | (wanted - self.ts[at] > self.gap_s),
        )


def recorded_load(
    ts: Sequence[int] | Ints,
    tflops: Sequence[float] | Floats,
    vram: Sequence[float] | Floats,
    *,
    begin_s: int,
    end_s: int,
) -> RecordedLoad:
    """Return recorded samples of one workload as a load; rows in any order, one per stamp.

    The recording is that of a whole fleet, from ``begin_s`` to ``end_s``.
    """
    stamps = np.asarray(ts, np.int64)
    order = np.argsort(stamps, kind="stable")
    return RecordedLoad(
        ts=stamps[order],
        tflops=np.asarray(tflops, np.float64)[order],
        vram_bytes=np.asarray(vram, np.float64)[order],
        begin_s=begin_s,
        end_s=end_s,
    )


def _trace(tflops: Floats, vram_bytes: Floats) -> Trace:
    return Trace(
        tflops=np.maximum(tflops, 0.0),
        vram_bytes=vram_bytes,
        is_missing=np.zeros(len(tflops), bool),
    )


def _noise(length: int, ratio: float, rng: np.random.Generator) -> Floats:
    """Return factors around 1 whose neighbours resemble each other, as load does."""
    if ratio == 0.0:
        return np.ones(length)
    white = rng.normal(0.0, 1.0, length + 7)
    smooth = np.convolve(white, np.full(8, 1.0 / np.sqrt(8.0)), mode="valid")
    return np.exp(ratio * smooth)
