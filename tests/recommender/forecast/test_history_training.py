"""When models are trained on a history that is gone through at once."""

import numpy as np

from recommender.forecast.fleet_model import LEAST_ROWS
from recommender.forecast.history_training import GROWTH, HistoryTraining
from tests.recommender.forecast.trained_tables import LIMITS, REQUESTS, TableForecasts, table


def test_a_model_is_first_trained_once_there_are_enough_rows():
    forecasts, training = TableForecasts(), HistoryTraining()
    forecasts.tables = {LIMITS: table(rows=LEAST_ROWS), REQUESTS: table(rows=LEAST_ROWS - 1)}

    training.step(forecasts)

    assert list(forecasts.installed) == [LIMITS]


def test_a_model_is_trained_again_once_there_are_several_times_as_many_rows():
    forecasts, training = TableForecasts(), HistoryTraining()
    trained_on = []
    for rows in (LEAST_ROWS, LEAST_ROWS * GROWTH - 1, LEAST_ROWS * GROWTH):
        forecasts.tables[LIMITS] = table(rows=rows)
        training.step(forecasts)
        trained_on.append(forecasts.installed[LIMITS].rows)

    assert trained_on == [LEAST_ROWS, LEAST_ROWS, LEAST_ROWS * GROWTH]


def test_a_table_without_outcomes_leaves_the_model_as_it_is():
    forecasts, training = TableForecasts(), HistoryTraining()
    forecasts.tables[LIMITS].outcome[:] = np.nan

    training.step(forecasts)

    assert forecasts.installed == {}
