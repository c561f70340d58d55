"""Descriptions of workers become the series that a scrape would have left."""

import numpy as np
import pytest

from tests.components.worker_metrics import MEMORY_BYTES, TFLOPS, THROTTLED_SECONDS
from tests.components.worker_series import (
    History,
    Worker,
    at,
    constant,
    daily,
    worker_labels,
)

START_S = 1_772_323_200


def history(*workers, minutes=10):
    return History(
        workers=workers,
        metrics=(TFLOPS, THROTTLED_SECONDS),
        start_s=START_S,
        end_s=START_S + 60 * minutes,
        step_s=60,
    )


def worker(name="w", rate=0.5, **options):
    return Worker(
        labels=worker_labels("team", "load", name),
        formulas={TFLOPS.name: constant(20.0), THROTTLED_SECONDS.name: constant(rate)},
        **options,
    )


def test_a_worker_is_scraped_in_every_step_at_its_phase():
    (only,) = history(worker(phase_ms=1_250), minutes=3).series(TFLOPS)

    assert only.ts_ms.tolist() == [1000 * (START_S + 60 * k) + 1_250 for k in range(3)]
    assert only.value.tolist() == [20.0, 20.0, 20.0]


def test_a_series_has_the_labels_of_its_worker_and_of_its_metric():
    (only,) = history(worker()).series(TFLOPS)

    assert only.labels == {**worker_labels("team", "load", "w"), "method": "sm_time"}


def test_a_metric_without_a_formula_has_no_series():
    assert list(history(worker()).series(MEMORY_BYTES)) == []


def test_a_counter_is_the_sum_of_its_rate():
    (only,) = history(worker(rate=0.5), minutes=4).series(THROTTLED_SECONDS)

    assert only.value.tolist() == [30.0, 60.0, 90.0, 120.0]


def test_a_counter_starts_again_from_zero_at_each_restart():
    restarted = worker(rate=0.5, restarts_s=(START_S + 120, START_S + 300))
    (only,) = history(restarted, minutes=7).series(THROTTLED_SECONDS)

    assert only.value.tolist() == [30.0, 60.0, 30.0, 60.0, 90.0, 30.0, 60.0]


def test_a_counter_goes_on_while_nobody_scrapes():
    unseen = worker(rate=0.5, gaps_s=((START_S + 60, START_S + 180),))
    (only,) = history(unseen, minutes=5).series(THROTTLED_SECONDS)

    assert only.ts_ms.tolist() == [1000 * (START_S + s) for s in (0, 180, 240)]
    assert only.value.tolist() == [30.0, 120.0, 150.0]


def test_a_worker_lives_for_its_time_only():
    (only,) = history(worker(lives_s=(START_S + 120, START_S + 240))).series(TFLOPS)

    assert only.ts_ms.tolist() == [1000 * (START_S + s) for s in (120, 180)]


def test_equal_scrapes_share_one_array_of_stamps():
    first, second = history(worker("a"), worker("b")).series(TFLOPS)

    assert first.ts_ms is second.ts_ms


def test_a_day_is_highest_at_its_peak_hour():
    wave = daily(100.0, 40.0, peak_hour=14.0)
    hours = START_S + 3600.0 * np.arange(48)

    assert wave(hours).max() == 140.0
    assert np.flatnonzero(wave(hours) == 140.0).tolist() == [14, 38]


def test_a_moment_can_have_another_value():
    changed = at(constant(1.0), {START_S: np.nan}, within_s=2)

    np.testing.assert_array_equal(
        changed(START_S + np.arange(-1.0, 4.0)), [1.0, np.nan, np.nan, 1.0, 1.0]
    )


def test_a_label_that_workers_do_not_have_is_refused():
    with pytest.raises(ValueError, match="a worker has the labels"):
        worker_labels("team", "load", "w", colour="red")
