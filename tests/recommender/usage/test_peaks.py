"""VRAM peaks: the upstream operator adds them at one time and takes them back at another."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.usage.histograms import HistogramBank
from recommender.usage.layout import Layout
from tests.recommender.usage.one_workload import BEGIN_S, GIB, VRAM_COLUMN, OneWorkload

HOUR_S = 3600


def requests_percentile(workload, level):
    bank = workload.store(VRAM_COLUMN).requests
    return bank.percentiles(workload.rows, np.array([[level]]))[0, 0]


def two_workers(*, minutes_per_call):
    """One worker steady at 20 GiB, one growing from 4 to 5 GiB, two hours, half-life one hour."""
    pair = OneWorkload(workers=2)
    pair.model.set_half_lives(pair.rows, np.array([[HOUR_S, HOUR_S]]), BEGIN_S)
    for start in range(0, 7200, 60 * minutes_per_call):
        end = start + 60 * minutes_per_call
        seconds = range(start, end, 60)
        for worker, use in ((0, lambda _: 20.0), (1, lambda t: 4.0 + t / 7200.0)):
            samples = [(t, use(t) * GIB) for t in seconds]
            pair.feed(samples, worker=worker, resource=VRAM_COLUMN, now=end, step_s=60)
        pair.advance(end)
    pair.advance(7200 + 180)
    return pair


@pytest.mark.parametrize("minutes_per_call", [1, 10, 120])
@pytest.mark.parametrize("level", [0.98, 0.99, 1.0])
def test_a_growing_worker_does_not_hide_a_steady_one(minutes_per_call, level):
    pair = two_workers(minutes_per_call=minutes_per_call)
    assert 20.0 <= requests_percentile(pair, level) / GIB <= 21.0


def test_the_growing_worker_counts_with_its_peak_and_no_more():
    pair = two_workers(minutes_per_call=1)
    assert 5.0 <= requests_percentile(pair, 0.5) / GIB <= 5.25


def test_each_worker_and_hour_counts_once():
    pair = two_workers(minutes_per_call=1)
    bank = pair.store(VRAM_COLUMN).requests
    # two workers, hours that weigh 1 and 1/2
    assert bank.weights.sum() / bank.newest_weight[0] == pytest.approx(3.0)


def test_a_half_life_that_changes_within_the_hour_leaves_one_sample_per_hour():
    pair = OneWorkload(workers=2)
    for worker, use in ((0, 20.0), (1, 4.0)):
        pair.feed_constant(use * GIB, 0, 1200, worker=worker, resource=VRAM_COLUMN, step_s=60)
    pair.advance(1500)
    half_lives = np.array([[86400, 600]])
    pair.model.set_half_lives(pair.rows, half_lives, BEGIN_S + 1500)
    pair.feed_constant(5.0 * GIB, 1500, 3000, worker=1, resource=VRAM_COLUMN, step_s=60)
    pair.advance(3300)
    bank = pair.store(VRAM_COLUMN).requests
    filled = np.flatnonzero(bank.weights[0] > 1e-9 * bank.newest_weight[0])
    find = bank.layout.find(np.array([5.0, 20.0]) * GIB / 1e7)
    assert filled.tolist() == find.tolist()
    assert bank.weights[0, find[0]] == pytest.approx(bank.weights[0, find[1]])


def test_a_dropped_worker_leaves_its_peak():
    pair = two_workers(minutes_per_call=10)
    before = requests_percentile(pair, 1.0)
    pair.model.drop_workers(pair.workers[:1])
    assert requests_percentile(pair, 1.0) == before


def test_unchanged_half_lives_change_nothing():
    pair = two_workers(minutes_per_call=10)
    before = pair.store(VRAM_COLUMN).requests.weights.copy()
    pair.model.set_half_lives(pair.rows, np.array([[HOUR_S, HOUR_S]]), BEGIN_S + 9000)
    assert np.array_equal(pair.store(VRAM_COLUMN).requests.weights, before)


def test_the_layout_of_peaks_is_that_of_the_vpa():
    bank = OneWorkload().store(VRAM_COLUMN).requests
    assert isinstance(bank, HistogramBank)
    assert bank.layout == Layout(1e12 / 1e7)
    assert bank.first.tolist() == [1e7]
