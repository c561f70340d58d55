"""However a stream of samples is handed in, the model ends up the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.recommender.usage.one_workload import BEGIN_S

WORKERS = 3
END_S = BEGIN_S + 20 * 3600
STEP_S = 60


def model():
    made = UsageModel((TFLOPS, VRAM))
    rows = made.workload_rows([("team", "chat", ""), ("team", "train", "")])
    workers = made.worker_rows(rows[[0, 0, 1]], [f"w{i}" for i in range(WORKERS)])
    made.set_readiness(workers, np.full(WORKERS, BEGIN_S - 900), np.full(WORKERS, BEGIN_S - 600))
    return made


def stream(rng):
    """(worker, ts, value) of two resources over 20 hours, with gaps."""
    ts = np.arange(BEGIN_S, END_S, STEP_S)
    worker = np.repeat(np.arange(WORKERS), len(ts))
    ts = np.tile(ts, WORKERS) + rng.integers(0, 12, WORKERS * len(ts)) * 5
    kept = (rng.random(len(ts)) < 0.6) & (ts < END_S)
    worker, ts = worker[kept], ts[kept]
    tflops = rng.integers(0, 400, len(ts)) / 4.0
    vram = rng.integers(1, 40, len(ts)) * 2.0**29
    return worker, ts, (tflops, vram)


def hand_in(into, worker, ts, values, rows, now_s):
    for resource, value in enumerate(values):
        share = np.full(len(rows), (95.0, 2.0**34)[resource])
        into.ingest(
            resource, worker[rows], ts[rows], value[rows], now_s=now_s, step_s=STEP_S, share=share
        )


def at_once(worker, ts, values):
    made = model()
    hand_in(made, worker, ts, values, np.arange(len(ts)), END_S)
    made.advance(END_S)
    return made


def in_parts(worker, ts, values, cuts, rng):
    """Hand in the time between two cuts in up to three calls, in any order, then advance."""
    made = model()
    for start, end in zip([BEGIN_S, *cuts], [*cuts, END_S], strict=True):
        rows = rng.permutation(np.flatnonzero((ts >= start) & (ts < end)))
        for part in np.array_split(rows, rng.integers(1, 4)):
            hand_in(made, worker, ts, values, part, end)
        made.advance(end)
    return made


def assert_same(one, other):
    for store, twin in zip(one.stores, other.stores, strict=True):
        for bank, same in ((store.requests, twin.requests), (store.limits, twin.limits)):
            # weights on the scale of the newest sample; the reference is free
            left = bank.weights / bank.newest_weight[:, None]
            right = same.weights / same.newest_weight[:, None]
            np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-12)
        assert store.points.tolist() == twin.points.tolist()
        assert store.first_sample_s.tolist() == twin.first_sample_s.tolist()
        assert store.last_sample_s.tolist() == twin.last_sample_s.tolist()
        blocks = np.arange(BEGIN_S // 300, END_S // 300)
        for name in ("top", "mean", "saturated"):
            ring, same = getattr(store.blocks, name), getattr(twin.blocks, name)
            for row in range(2):
                rows = np.full(len(blocks), row)
                np.testing.assert_allclose(ring.at(blocks, rows), same.at(blocks, rows), rtol=1e-5)
        minutes = np.arange(END_S // 60 - 62, END_S // 60 - 2)
        for name in ("minute_top", "minute_mean"):
            ring, same = getattr(store, name), getattr(twin, name)
            for worker in range(WORKERS):
                rows = np.full(len(minutes), worker)
                np.testing.assert_allclose(
                    ring.at(minutes, rows), same.at(minutes, rows), rtol=1e-6
                )
    assert one.counts.accepted == other.counts.accepted
    assert one.counts.duplicate == other.counts.duplicate
    assert one.counts.saturated == other.counts.saturated


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(BEGIN_S + 1, END_S - 1), max_size=8, unique=True).map(sorted),
)
def test_any_split_gives_the_model_of_one_bulk_history(seed, cuts):
    rng = np.random.default_rng(seed)
    worker, ts, values = stream(rng)
    parts = in_parts(worker, ts, values, cuts, rng)
    assert parts.counts.late == 0
    assert_same(at_once(worker, ts, values), parts)


@pytest.mark.parametrize("tick_s", [60, 75])
def test_tick_by_tick_gives_the_model_of_one_bulk_history(tick_s):
    rng = np.random.default_rng(tick_s)
    worker, ts, values = stream(rng)
    cuts = list(range(BEGIN_S + tick_s, END_S, tick_s))
    assert_same(at_once(worker, ts, values), in_parts(worker, ts, values, cuts, rng))


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_overlapping_reads_change_nothing(seed):
    rng = np.random.default_rng(seed)
    worker, ts, values = stream(rng)
    made = model()
    for start in range(BEGIN_S, END_S, 600):
        end = min(start + 600, END_S)
        rows = np.flatnonzero((ts >= start - STEP_S) & (ts < end))
        hand_in(made, worker, ts, values, rows, end)
        made.advance(end)
    expected = at_once(worker, ts, values)
    for store, twin in zip(made.stores, expected.stores, strict=True):
        assert store.points.tolist() == twin.points.tolist()
        np.testing.assert_allclose(
            store.limits.weights / store.limits.newest_weight[:, None],
            twin.limits.weights / twin.limits.newest_weight[:, None],
            rtol=1e-9,
            atol=1e-12,
        )
