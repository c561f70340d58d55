"""A training in a real process, and processes that come to nothing."""

import multiprocessing
import threading
from functools import partial

import pytest

from autoscaler.scaling.running.counts.forecast_counts import TrainingFailure
from autoscaler.scaling.running.forecasts.aside import Aside
from autoscaler.scaling.running.forecasts.training_process import in_process, trained
from tests.autoscaler.scaling.running.forecasts.training_tasks import die, hang
from tests.components.processes import until
from tests.recommender.forecast.trained_tables import table

SHORT_LIMIT_S = 0.3


def always():
    return True


@pytest.fixture
def own_children():
    """Return which children there are now that were not there before the test."""
    others = multiprocessing.active_children()
    return lambda: [each for each in multiprocessing.active_children() if each not in others]


def test_a_model_of_another_process_is_the_one_that_would_be_trained_here(own_children):
    got = in_process(table(), always)

    features = table(seed=1).features
    here = trained(table())
    assert got.model.quantiles(features).tobytes() == here.model.quantiles(features).tobytes()
    assert (got.model.rows, got.version, got.failure) == (600, "v1", None)
    assert got.took_s > 0
    assert own_children() == []


@pytest.mark.parametrize(
    ("task", "limit_s", "failure", "why"),
    [
        (hang, SHORT_LIMIT_S, TrainingFailure.TOO_LONG, "it took longer than 0.3 s and was ended"),
        (die, 60.0, TrainingFailure.ENDED, "its process ended before it had a model"),
    ],
)
def test_a_process_that_comes_to_nothing_says_why(own_children, task, limit_s, failure, why):
    got = in_process(table(), always, task=task, limit_s=limit_s)

    assert (got.model, got.failure, got.why) == (None, failure, why)
    assert own_children() == []


def test_an_end_of_the_autoscaler_ends_a_process_that_hangs(own_children):
    aside = Aside()
    aside.submit(partial(in_process, table(), lambda: aside.is_wanted, task=hang, limit_s=600.0))
    until(own_children, what="the process has begun")

    aside.stop()

    assert own_children() == []
    assert [each for each in threading.enumerate() if each.name.startswith("forecasts")] == []
    assert aside.submit(always) is None
