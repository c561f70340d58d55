from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.simulate.families import (
    BatchTraining,
    Bursty,
    ColdStarts,
    DiurnalServing,
    GrowingVram,
    Idle,
    Planned,
    WithGaps,
    recorded_load,
)
from recommender.resources import GIB

HOUR = 3600
DAY = 86400
SERVING = DiurnalServing(
    night_tflops=10.0, day_tflops=100.0, weights_bytes=10 * GIB, cache_bytes=4 * GIB
)
FAMILIES = [
    SERVING,
    Bursty(base_tflops=5.0, burst_tflops=80.0, vram_bytes=4 * GIB),
    BatchTraining(tflops=200.0, vram_bytes=40 * GIB),
    Idle(vram_bytes=6 * GIB),
    GrowingVram(tflops=10.0, first_vram_bytes=2 * GIB, vram_bytes_per_day=GIB),
    Planned(points=((0, 5.0, 2.0), (HOUR, 50.0, 3.0))),
    ColdStarts(load=SERVING),
    WithGaps(load=SERVING),
]


def _times(days=1.0, step=15):
    return np.arange(0, int(days * DAY), step)


def _trace(load, days=1.0, seed=1):
    return load.trace(_times(days), np.random.default_rng(seed))


@pytest.mark.parametrize("load", FAMILIES, ids=lambda load: type(load).__name__)
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_every_family_gives_finite_demand_and_the_same_for_the_same_seed(load, seed):
    times = np.arange(0, DAY, 600)

    first = load.trace(times, np.random.default_rng(seed))
    again = load.trace(times, np.random.default_rng(seed))

    for trace in (first, again):
        assert trace.tflops.shape == trace.vram_bytes.shape == trace.is_missing.shape == times.shape
        assert (np.isfinite(trace.tflops) & (trace.tflops >= 0)).all()
        assert (np.isfinite(trace.vram_bytes) & (trace.vram_bytes > 0)).all()
    np.testing.assert_array_equal(first.tflops, again.tflops)
    np.testing.assert_array_equal(first.vram_bytes, again.vram_bytes)
    np.testing.assert_array_equal(first.is_missing, again.is_missing)


def test_serving_is_busiest_at_its_peak_hour_and_quiet_twelve_hours_later():
    by_hour = _trace(SERVING).tflops.reshape(24, -1).mean(axis=1)

    assert by_hour.argmax() in {13, 14}
    assert by_hour.argmin() in {1, 2}
    assert by_hour.max() == pytest.approx(100.0, rel=0.1)


def test_bursts_happen_at_the_stated_times():
    load = Bursty(
        base_tflops=5.0,
        burst_tflops=80.0,
        vram_bytes=GIB,
        bursts_per_day=0.0,
        burst_s=600,
        stated_bursts_s=(HOUR,),
    )

    tflops = _trace(load).tflops

    is_busy = tflops > 30.0
    assert np.flatnonzero(is_busy).tolist() == list(range(HOUR // 15, (HOUR + 600) // 15))


def test_training_pauses_at_the_end_of_each_epoch():
    trace = _trace(BatchTraining(tflops=100.0, vram_bytes=GIB, epoch_s=3600, pause_s=300))

    is_pause = trace.tflops < 20.0
    assert is_pause.mean() == pytest.approx(300 / 3600, abs=0.005)
    assert {float(GIB)} == set(trace.vram_bytes)


def test_vram_of_a_leak_grows_by_what_is_stated_per_day():
    trace = _trace(
        GrowingVram(tflops=1.0, first_vram_bytes=2 * GIB, vram_bytes_per_day=GIB), days=2
    )

    assert trace.vram_bytes[0] == 2 * GIB
    assert trace.vram_bytes[-1] == pytest.approx(4 * GIB, rel=1e-3)


def test_a_planned_course_is_followed_exactly():
    load = Planned(points=((0, 5.0, 2.0), (HOUR, 50.0, 3.0)))

    trace = load.trace(np.array([0, HOUR - 15, HOUR, DAY]), np.random.default_rng(0))

    assert trace.tflops.tolist() == [5.0, 5.0, 50.0, 50.0]
    assert trace.vram_bytes.tolist() == [2 * GIB, 2 * GIB, 3 * GIB, 3 * GIB]


def test_cold_starts_come_at_even_distances():
    trace = _trace(ColdStarts(load=SERVING, every_s=6 * HOUR))

    assert trace.restarts_s == (6 * HOUR, 12 * HOUR, 18 * HOUR)


def test_stated_gaps_lack_their_samples_and_no_others():
    load = WithGaps(load=SERVING, gaps_per_day=0.0, stated_gaps_s=((HOUR, 2 * HOUR),))

    missing = _trace(load).is_missing

    assert np.flatnonzero(missing).tolist() == list(range(HOUR // 15, 2 * HOUR // 15))


def test_recorded_use_holds_until_the_next_sample_and_starts_over_at_its_end():
    load = recorded_load(
        [60, 0, 120], [2.0, 1.0, 3.0], [2 * GIB, GIB, 3 * GIB], begin_s=0, end_s=180
    )

    trace = load.trace(np.array([0, 45, 60, 150, 180, 240]), np.random.default_rng(0))

    assert trace.tflops.tolist() == [1.0, 1.0, 2.0, 3.0, 1.0, 2.0]


def test_a_workload_begins_when_it_did_beside_others_and_ends_so():
    load = recorded_load([600, 660], [5.0, 6.0], [GIB, GIB], begin_s=0, end_s=3600)
    trace = load.trace(
        10_000 + np.array([0, 540, 600, 660, 1500, 1620, 3600 + 660]), np.random.default_rng(0)
    )
    assert trace.tflops.tolist() == [0, 0, 5, 6, 6, 6, 6]
    assert trace.vram_bytes[:3].tolist() == [0, 0, GIB]
    assert trace.is_missing.tolist() == [True, True, False, False, False, True, False]


def test_a_long_pause_in_a_record_is_missing_and_no_zero():
    load = recorded_load([0, 60, 120, 180, 4000, 4060], [5.0] * 6, [GIB] * 6, begin_s=0, end_s=4120)

    trace = load.trace(np.array([0, 180, 900, 2000, 4000]), np.random.default_rng(0))

    assert trace.is_missing.tolist() == [False, False, False, True, False]
    assert trace.tflops.tolist() == [5.0] * 5
