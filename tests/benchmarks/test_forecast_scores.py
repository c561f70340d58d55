"""Scores of forecasts are those of the replay benchmark, of sound and of damaged histories."""

import numpy as np
import pytest

from tests.benchmarks.forecast_plugin import Forecasting, forget_models
from tests.benchmarks.forecast_scores import Panel, geometric_mean
from tests.benchmarks.replay_sweep import Benchmark
from tests.benchmarks.test_forecast_plugin import HOURS
from tests.traces import needs_traces, recorded_traces

KNOBS = (0.2, 0.05)


@pytest.fixture(autouse=True)
def no_models():
    forget_models()


@pytest.fixture
def hourly():
    """Return generated demand as a panel of the benchmark."""
    bench = Benchmark(recorded_traces())
    series = [f"series-{i}" for i in range(HOURS.shape[1])]
    demand = bench.data_of.Panel(
        name="hourly",
        values=np.ascontiguousarray(HOURS.T),
        step_s=3600,
        ids=series,
        t0_unix=np.zeros(len(series), np.int64),
        resource="tokens_per_s",
    )
    timing = bench.data_of.Timing(hold=1, delay=1, window=1, warmup=24, agg="max")
    return Panel(bench, "limits", "hourly", bench.task.Task(demand, timing, "limits"))


@needs_traces
def test_a_sweep_gives_what_the_benchmark_itself_replays(hourly):
    given = hourly.replayed(KNOBS, Forecasting)
    for number, knob in enumerate(KNOBS):
        forget_models()
        expected, _ = hourly.bench.replay.replay(hourly.task, Forecasting, knob)
        np.testing.assert_array_equal(expected, given[number])


@needs_traces
def test_a_damaged_history_is_answered_too(hourly):
    damage = hourly.bench.faults.Faults.parse("all")
    given = hourly.replayed(KNOBS, Forecasting, damage)
    assert np.isfinite(given[:, :, 1:]).all()


@needs_traces
def test_the_reference_is_fed_the_same_history(hourly):
    faults = hourly.bench.faults.Faults
    given = hourly.scored(hourly.replayed(KNOBS, Forecasting))
    whole = hourly.slack_of_first(None)
    assert whole == pytest.approx(given.references["TF*"], rel=1e-4)
    assert hourly.slack_of_first(faults.parse("gaps=0.5")) != whole


@needs_traces
def test_of_an_age_only_its_hours_are_judged(hourly):
    aged = hourly.aged(6, 48, 0.02)
    np.testing.assert_array_equal(aged.task.judged[0, :, 0], HOURS[7:48, 0])
    whole = hourly.replayed(KNOBS, Forecasting)
    np.testing.assert_array_equal(aged.replayed(KNOBS, Forecasting), whole[:, :, :46])


@needs_traces
def test_every_series_is_in_one_half(hourly):
    shaped, others = hourly.halves()
    np.testing.assert_array_equal(shaped, ~others)


def test_a_ratio_and_its_inverse_cancel_out():
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
