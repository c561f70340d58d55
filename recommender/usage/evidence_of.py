"""Read the evidence of reports from the usage model: percentiles, coverage, profile, series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Floats, Ints
from recommender.usage.blocks import BLOCK_S, BLOCKS_KEPT, BLOCKS_PER_HOUR, minutes_per_block
from recommender.usage.evidence import Evidence
from recommender.usage.minutes import MINUTE_S
from recommender.usage.model import UsageModel
from recommender.usage.peaks import HOUR_S
from recommender.usage.rings import TimeRing
from recommender.usage.store import ResourceUsage

LEVELS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "highest": 1.0}


def read_evidence(model: UsageModel, rows: Ints, now_s: int) -> Evidence:
    """Return the evidence of some workloads over the last 7 days, newest block included."""
    last = -(-now_s // BLOCK_S)
    blocks = np.arange(_first_block(model, last), last)
    columns = [_column(model, store, rows, blocks, now_s) for store in model.stores]
    stacked = {name: np.stack([c[name] for c in columns], axis=1) for name in columns[0]}
    return Evidence(**stacked, block_start_s=blocks * BLOCK_S)


def _first_block(model: UsageModel, last: int) -> int:
    """Return the oldest block with samples: a day's record needs no week of emptiness."""
    held = [store.blocks.top.block for store in model.stores]
    known = [int(block[block >= 0].min()) for block in held if (block >= 0).any()]
    return max(last - BLOCKS_KEPT, min(known, default=last))


def _column(
    model: UsageModel, store: ResourceUsage, rows: Ints, blocks: Ints, now_s: int
) -> dict[str, NDArray[np.generic]]:
    top = _aligned(store.blocks.top, blocks, rows)
    mean = _aligned(store.blocks.mean, blocks, rows)
    saturated = np.zeros(len(rows))
    if len(blocks):
        # the hour in which the week begins counts as a whole
        first, last = (int(block) // BLOCKS_PER_HOUR for block in blocks[[0, -1]])
        saturated = store.blocks.saturated_of_hour.window(first, last + 1)[:, rows].sum(axis=0)
    count = (~np.isnan(top)).sum(axis=1)
    span_s = store.last_sample_s[rows] - store.first_sample_s[rows]
    step_s = np.maximum(store.step_s[rows], MINUTE_S)
    live = np.array([key is not None for key in model.workers.keys], np.bool_)
    seen = live & (store.recent.last_sample_s >= 0)
    return {
        **_percentiles(top, count),
        "mean": _mean(mean),
        "points": store.points[rows],
        "span_s": np.maximum(span_s, 0),
        "coverage": np.minimum(1.0, store.points[rows] / (span_s / step_s + 1.0)),
        "workers_seen": np.bincount(model.row_of_worker[seen], minlength=len(store.points))[rows],
        "last_sample_age_s": np.where(
            store.last_sample_s[rows] >= 0, now_s - store.last_sample_s[rows], np.nan
        ).astype(np.float64),
        "saturated_share": _share(saturated, count * minutes_per_block(store.step_s[rows])),
        "denials": _denials(model, store, rows),
        "is_opaque": _opaque(model, store, rows),
        "hourly_profile": _hourly(top, blocks),
        "block_max": top,
        "block_mean": mean,
    }


def _aligned(ring: TimeRing, blocks: Ints, rows: Ints) -> NDArray[np.float32]:
    """Return ``[rows, blocks]``; NaN for blocks that are not held."""
    out = np.full((len(rows), len(blocks)), np.nan, np.float32)
    slot = blocks % ring.length
    there = ring.block[slot] == blocks
    out[:, there] = ring.values[slot[there]][:, rows].T
    return out


def _share(part: Floats, whole: Ints) -> Floats:
    return np.minimum(part / np.maximum(whole, 1), 1.0)


def _percentiles(top: NDArray[np.float32], count: Ints) -> dict[str, NDArray[np.generic]]:
    if top.shape[1] == 0:
        return {name: np.full(len(top), np.nan) for name in LEVELS}
    ordered = np.sort(top, axis=1)
    out: dict[str, NDArray[np.generic]] = {}
    for name, level in LEVELS.items():
        rank = np.maximum(np.ceil(level * count - 1e-9).astype(np.int64) - 1, 0)
        out[name] = ordered[np.arange(len(top)), rank].astype(np.float64)
    return out


def _mean(blocks: NDArray[np.float32]) -> Floats:
    present = ~np.isnan(blocks)
    total = np.where(present, blocks, 0).sum(axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / present.sum(axis=1), np.float64)


def _hourly(top: NDArray[np.float32], blocks: Ints) -> Floats:
    """Return the mean of the blocks by hour of the day in UTC, ``[rows, 24]``."""
    hour = blocks * BLOCK_S // HOUR_S % 24
    out = np.full((len(top), 24), np.nan)
    for h in np.unique(hour):
        out[:, h] = _mean(top[:, hour == h])
    return out


def _denials(model: UsageModel, store: ResourceUsage, rows: Ints) -> Floats:
    if store.resource.is_compressible:
        return np.zeros(len(rows))
    since = np.zeros(len(model.workloads), np.int64)
    return model.denials.since(since, len(model.workloads))[rows]


def _opaque(model: UsageModel, store: ResourceUsage, rows: Ints) -> NDArray[np.generic]:
    out = np.zeros(len(store.points), np.bool_)
    out[model.row_of_worker[store.plateaus.is_opaque]] = True
    return out[rows]
