"""When a model of the fleet is trained, and that training says the same everywhere."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from recommender.forecast.daily_training import RETRY_S, TrainingTimes, train_due, train_table
from recommender.forecast.fleet_model import LEAST_ROWS
from recommender.usage.store import DAY_S
from tests.recommender.forecast.trained_tables import LIMITS, REQUESTS, TableForecasts, table


def test_a_model_is_first_trained_once_there_are_enough_rows():
    times = TrainingTimes()

    assert times.due({LIMITS: LEAST_ROWS - 1}, 0) == ()
    assert times.due({LIMITS: LEAST_ROWS, REQUESTS: 3}, 0) == (LIMITS,)


def test_a_model_is_trained_again_a_day_later():
    times = TrainingTimes()
    times.trained(LIMITS, 100)

    assert times.due({LIMITS: LEAST_ROWS}, 100 + DAY_S - 1) == ()
    assert times.due({LIMITS: LEAST_ROWS}, 100 + DAY_S) == (LIMITS,)


def test_a_stream_that_comes_back_has_no_model_and_waits_for_no_date():
    times = TrainingTimes()
    times.trained(LIMITS, 100)

    assert times.due({REQUESTS: 3}, 200) == ()
    assert times.due({LIMITS: LEAST_ROWS}, 300) == (LIMITS,)


def test_what_could_not_be_trained_is_tried_again_an_hour_later():
    times = TrainingTimes()
    times.failed(LIMITS, 100)

    assert times.due({LIMITS: LEAST_ROWS}, 100 + RETRY_S - 1) == ()
    assert times.due({LIMITS: LEAST_ROWS}, 100 + RETRY_S) == (LIMITS,)


@given(
    steps_s=st.lists(st.integers(1, 2 * DAY_S), max_size=40),
    every_s=st.integers(60, 2 * DAY_S),
    fails=st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_no_model_is_trained_twice_within_its_period_and_none_is_forgotten(steps_s, every_s, fails):
    times, now_s, last_s, failed_s = TrainingTimes(every_s), 0, None, -RETRY_S
    for step_s, is_failing in zip(steps_s, fails, strict=False):
        now_s += step_s
        is_due = times.due({LIMITS: LEAST_ROWS}, now_s) == (LIMITS,)
        is_old = last_s is None or now_s - last_s >= every_s
        assert is_due == (is_old and now_s - failed_s >= min(RETRY_S, every_s))
        if is_due and is_failing:
            times.failed(LIMITS, now_s)
            failed_s = now_s
        elif is_due:
            times.trained(LIMITS, now_s)
            last_s = now_s


def test_what_is_due_is_trained_and_installed_at_once():
    forecasts, times = TableForecasts(), TrainingTimes()
    forecasts.tables[REQUESTS] = table(rows=100)

    train_due(forecasts, times, 1000)
    train_due(forecasts, times, 1000 + DAY_S - 1)
    first = forecasts.installs
    train_due(forecasts, times, 1000 + DAY_S)

    assert list(forecasts.installed) == [LIMITS]
    assert forecasts.installed[LIMITS].rows == 600
    assert (first, forecasts.installs) == (1, 2)


def test_a_table_without_outcomes_leaves_the_model_as_it_is():
    forecasts, times = TableForecasts(), TrainingTimes()
    forecasts.tables[LIMITS].outcome[:] = np.nan

    train_due(forecasts, times, 1000)

    assert forecasts.installed == {}


def test_a_table_gives_the_same_model_with_any_number_of_threads():
    features = table(seed=1).features
    said = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads, user_api="openmp"):
            model = train_table(table())
        said.append(model.quantiles(features).tobytes())

    assert said[0] == said[1]
