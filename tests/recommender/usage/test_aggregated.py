"""Minutes that a source made of its samples keep what the samples themselves would have kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.recommender.usage.one_workload import BEGIN_S, EVER, GIB, VRAM_COLUMN, OneWorkload

WORKERS = 3
DAY_S = 86400
STEP_S = 15


def minutes_fed(one, rows, **columns):
    """Feed (second, mean, top) rows as minutes."""
    one.feed(
        [(second, mean) for second, mean, _ in rows],
        top=np.array([top for _, _, top in rows]),
        step_s=60,
        **columns,
    )


def model():
    made = UsageModel((TFLOPS, VRAM))
    rows = made.workload_rows([("team", "chat", ""), ("team", "train", "")])
    workers = made.worker_rows(rows[[0, 0, 1]], [f"w{i}" for i in range(WORKERS)])
    made.set_readiness(workers, np.full(WORKERS, BEGIN_S - 900), np.full(WORKERS, BEGIN_S - 600))
    return made


def stream(rng):
    """(worker, ts, values) of a day at 15 s with gaps."""
    ts = np.arange(BEGIN_S + int(rng.integers(0, 15)), BEGIN_S + DAY_S, STEP_S)
    worker, ts = np.repeat(np.arange(WORKERS), len(ts)), np.tile(ts, WORKERS)
    kept = rng.random(len(ts)) < 0.7
    kept &= (ts - BEGIN_S) // 3600 % 7 != rng.integers(0, 7)
    worker, ts = worker[kept], ts[kept]
    tflops = rng.gamma(2.0, 10.0, len(ts)).clip(0, 90).astype(np.float32)
    vram = (rng.integers(1, 40, len(ts)) * 2.0**29).astype(np.float32)
    return worker, ts, (tflops.astype(np.float64), vram.astype(np.float64))


def as_minutes(worker, ts, value):
    key = worker * 10**7 + (ts - BEGIN_S) // 60
    _, first, count = np.unique(key, return_index=True, return_counts=True)
    mean = np.add.reduceat(value, first) / count
    return worker[first], ts[first] // 60 * 60, mean, np.maximum.reduceat(value, first)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_day_of_minutes_leaves_the_histograms_and_blocks_of_its_samples(seed):
    rng = np.random.default_rng(seed)
    worker, ts, values = stream(rng)
    end_s, share = BEGIN_S + DAY_S, np.full(len(ts), 95.0)
    raw, minutes = model(), model()
    for resource, value in enumerate(values):
        raw.ingest(resource, worker, ts, value, now_s=end_s, step_s=STEP_S, share=share * 1e12)
        who, start, mean, top = as_minutes(worker, ts, value)
        minutes.ingest(
            resource,
            who,
            start,
            mean,
            top=top,
            now_s=end_s,
            step_s=60,
            share=share[: len(who)] * 1e12,
        )
    raw.advance(end_s + 600)
    minutes.advance(end_s + 600)

    blocks = np.arange(BEGIN_S // 300, (BEGIN_S + DAY_S) // 300)
    for store, twin in zip(raw.stores, minutes.stores, strict=True):
        assert twin.points.tolist() == store.points.tolist()
        np.testing.assert_array_equal(twin.limits.weights, store.limits.weights)
        np.testing.assert_allclose(
            twin.requests.percentiles(np.arange(2), np.tile([0.1, 0.5, 0.95, 1.0], (2, 1))),
            store.requests.percentiles(np.arange(2), np.tile([0.1, 0.5, 0.95, 1.0], (2, 1))),
            rtol=1e-6,
        )
        for row in range(2):
            rows = np.full(len(blocks), row)
            np.testing.assert_array_equal(
                twin.blocks.top.at(blocks, rows), store.blocks.top.at(blocks, rows)
            )
            np.testing.assert_allclose(
                twin.blocks.mean.at(blocks, rows), store.blocks.mean.at(blocks, rows), rtol=1e-5
            )
            np.testing.assert_array_equal(
                twin.blocks.saturated.at(blocks, rows), store.blocks.saturated.at(blocks, rows)
            )


def test_limits_see_the_maximum_and_requests_the_mean():
    one = OneWorkload()
    minutes_fed(one, [(minute * 60, 10.0, 40.0) for minute in range(60)])
    one.advance(3600 + 180)
    level = np.array([[0.5]])
    assert one.store().limits.percentiles(one.rows, level)[0, 0] == pytest.approx(40.0, rel=0.05)
    assert one.store().requests.percentiles(one.rows, level)[0, 0] == pytest.approx(10.0, rel=0.05)


def test_minutes_are_no_recent_samples():
    one = OneWorkload()
    minutes_fed(one, [(0, 10.0, 40.0), (60, 10.0, 40.0)], now=130)
    assert np.isnan(one.statistic("burst", 130))
    assert one.store().recent.demand.newest == -1
    assert one.store().recent.last_sample_s.tolist() == [BEGIN_S + 60]


def test_a_minute_whose_maximum_reached_the_share_is_saturated_and_its_mean_stays_what_it_was():
    one = OneWorkload()
    minutes_fed(one, [(0, 20.0, 79.9)], share=80.0)
    one.advance(180)
    store = one.store()
    assert store.minute_saturated.values.sum() == 1
    assert np.nanmax(store.minute_top.values) == pytest.approx(100.0)
    assert np.nanmax(store.minute_mean.values) == pytest.approx(20.0)


def test_a_minute_that_waited_for_a_fifth_of_its_time_is_saturated_whatever_its_maximum():
    one = OneWorkload()
    minutes_fed(one, [(0, 20.0, 30.0)], share=80.0, throttled_ratio=0.5)
    one.advance(180)
    store = one.store()
    assert store.minute_saturated.values.sum() == 1
    assert np.nanmax(store.minute_top.values) == pytest.approx(60.0)
    assert np.nanmax(store.minute_mean.values) == pytest.approx(40.0)


def test_a_minute_without_a_maximum_has_its_mean_for_it():
    one = OneWorkload()
    minutes_fed(one, [(0, 20.0, float("nan")), (60, 30.0, 25.0)])
    one.advance(240)
    tops = one.store().minute_top.window(0, EVER)
    assert tops[:, 0].tolist() == [20.0, 30.0]


@pytest.mark.parametrize(
    ("mean", "top", "reason"),
    [
        (float("nan"), 5.0, "not_finite"),
        (5.0, float("inf"), "not_finite"),
        (-1.0, 5.0, "negative"),
    ],
)
def test_minutes_that_are_no_amount_are_left_out(mean, top, reason):
    one = OneWorkload()
    minutes_fed(one, [(0, mean, top)])
    assert getattr(one.model.counts, reason) == 1
    assert one.model.counts.accepted == 0


def test_the_peak_of_a_start_is_the_maximum_of_its_minutes():
    one = OneWorkload()
    one.set_readiness(started=0)
    minutes_fed(one, [(0, 4 * GIB, 9 * GIB)], resource=VRAM_COLUMN)
    assert one.store(VRAM_COLUMN).loaded_peak.tolist() == [9 * GIB]
