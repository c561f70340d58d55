"""Trainings beside the loop: when they begin, what becomes of them, and that nobody waits."""

import logging
import threading
from dataclasses import replace

import pytest

from autoscaler.scaling.running.counts.forecast_counts import TrainingFailure
from autoscaler.scaling.running.forecasts.aside import Aside
from autoscaler.scaling.running.forecasts.training import FleetTraining
from autoscaler.scaling.running.forecasts.training_process import Trained, trained
from recommender.forecast.daily_training import RETRY_S
from recommender.resources import TFLOPS, VRAM
from recommender.usage.store import DAY_S
from tests.components.processes import until
from tests.recommender.forecast.trained_tables import LIMITS, REQUESTS, TableForecasts, table

NOW = 1_767_571_200
SUBJECT = ("limits", "tflops", 600)


class World:
    """Trainings of forecasts whose tables are given."""

    def __init__(self, *, train=lambda table, _is_wanted: trained(table), every_s=DAY_S):
        self.aside = Aside()
        self.forecasts = TableForecasts()
        self.now_s = NOW
        self.training = FleetTraining(self.aside, (TFLOPS, VRAM), every_s=every_s, train=train)

    def step(self):
        self.training.step(self.forecasts, self.now_s)

    def step_until(self, condition, what):
        """Tick until something holds."""

        def holds():
            self.step()
            return condition()

        until(holds, what=what)

    def failures(self):
        return {
            failure: number
            for failure, number in self.training.snapshot().failures.items()
            if number
        }


@pytest.fixture
def world():
    made = []

    def make(**options):
        made.append(World(**options))
        return made[-1]

    yield make
    for each in made:
        each.aside.stop()


def test_a_model_is_installed_by_a_later_tick_and_told(world, caplog):
    caplog.set_level(logging.INFO)
    here = world()

    here.step()
    at_once = dict(here.forecasts.installed)
    here.step_until(lambda: here.forecasts.installed, "a model is installed")

    found = here.training.snapshot().models[SUBJECT]
    assert at_once == {}
    assert (found.rows, found.trained_s, found.version) == (600, NOW, "v1")
    assert here.failures() == {}
    told = "the fleet's model of limits of tflops, 10 min ahead was trained on 600 rows in"
    assert told in caplog.text


def test_streams_are_trained_one_after_the_other_and_each_once_a_day(world):
    here = world()
    here.forecasts.tables[REQUESTS] = table(seed=2)

    here.step_until(lambda: len(here.forecasts.installed) == 2, "both have a model")
    here.now_s += DAY_S - 1
    here.step()
    before = here.forecasts.installs
    here.now_s += 1
    here.step_until(lambda: here.forecasts.installs == 4, "both were trained again")

    assert before == 2


def test_a_training_that_comes_to_nothing_is_counted_told_once_and_tried_again(world, caplog):
    nothing = Trained(model=None, failure=TrainingFailure.TOO_LONG, why="it took too long")
    here = world(train=lambda _table, _is_wanted: nothing)

    here.step_until(lambda: here.failures() == {TrainingFailure.TOO_LONG: 1}, "it failed")
    here.now_s += RETRY_S
    here.step_until(lambda: here.failures() == {TrainingFailure.TOO_LONG: 2}, "it failed again")

    assert here.forecasts.installed == {}
    told = (
        "the fleet's model of limits of tflops, 10 min ahead was not trained, and forecasts go on "
        "without one: it took too long"
    )
    assert caplog.messages == [told]


@pytest.mark.parametrize("error", [OSError("no room"), KeyError("x")])
def test_a_process_that_cannot_be_begun_costs_no_tick(world, caplog, error):
    def fail(_table, _is_wanted):
        raise error

    here = world(train=fail)

    here.step_until(lambda: here.failures() == {TrainingFailure.FAILED: 1}, "it failed")

    assert f"without one: {type(error).__name__}: {error}" in caplog.text


def test_a_failed_training_leaves_the_model_before_in_place(world, caplog):
    here = world()
    here.step_until(lambda: here.forecasts.installed, "a model is installed")
    before = here.forecasts.installed[LIMITS]

    here.forecasts.tables[LIMITS] = replace(
        table(rows=600, version="v2"), features=table(rows=599).features
    )
    here.now_s += DAY_S
    here.step_until(lambda: here.failures() == {TrainingFailure.FAILED: 1}, "it failed")

    assert here.forecasts.installed == {LIMITS: before}
    assert here.training.snapshot().models[SUBJECT].version == "v1"
    assert "was not trained, and the one before goes on: IndexError: " in caplog.text


def test_no_tick_waits_for_a_training(world):
    may_end = threading.Event()
    here = world(train=lambda table, _is_wanted: may_end.wait(60.0) and trained(table))

    here.step()
    here.step()
    before = dict(here.forecasts.installed), here.training.snapshot().models
    may_end.set()
    here.step_until(lambda: here.forecasts.installed, "a model is installed")

    assert before == ({}, {})


def test_after_the_end_of_the_process_nothing_is_begun(world):
    here = world()
    here.aside.stop()

    here.step()
    here.step()

    assert here.training.snapshot().models == {}


def test_a_usage_model_that_takes_the_place_of_another_is_trained_anew(world):
    here = world()
    here.step()
    short, here.forecasts = here.forecasts, TableForecasts()

    here.step_until(lambda: here.forecasts.installed, "the new one has a model")

    assert short.installed == {}


def test_a_stream_that_nobody_asks_for_any_more_is_shown_no_longer(world):
    here = world()
    here.step_until(lambda: here.forecasts.installed, "a model is installed")

    here.forecasts.tables.clear()
    here.step()

    assert here.training.snapshot().models == {}
