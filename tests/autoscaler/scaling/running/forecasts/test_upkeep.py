"""Forecasts of a loop over hours of history: trained beside it, and in force in its decisions."""

import numpy as np
import pytest

from autoscaler.scaling.running.forecasts.upkeep import ForecastUpkeep
from recommender.decision import Code, Layer
from recommender.forecast.asked import StreamKey
from recommender.forecast.experts.boosting import BOOSTING
from recommender.forecast.forecaster import EXPERTS
from recommender.forecast.gate import Gate
from recommender.forecast.models import ModelName
from tests.autoscaler.scaling.running.forecasting_fleet import DAY, HOUR, ON, ForecastingFleet
from tests.components.processes import until

NAMES = ("chat", "search", "speech", "vision", "code")
LIMITS = StreamKey(Layer.LIMITS, 0, 600)
ASKED = {"autoSetLimits": {**ON, "prediction": ON}}
UNASKED = {"autoSetLimits": ON}
BY_NAME = {"autoSetLimits": {**ON, "prediction": {**ON, "model": ModelName.ETS}}}


class Upkept:
    """A loop and what keeps its forecasts good."""

    def __init__(self, *names, settings=ASKED, **options):
        self.fleet = ForecastingFleet(*names, settings=settings, **options)
        self.loop = self.fleet.loop_with_history()
        self.upkeep = ForecastUpkeep(self.loop, self.fleet.clock, train_every_s=DAY)

    def move(self, seconds, *, step_s=60):
        return self.fleet.move(self.loop, seconds, before=self.upkeep.step, step_s=step_s)

    def step_until(self, condition, what):
        until(lambda: self.upkeep.step() or condition(), what=what)


@pytest.fixture
def upkept():
    made = []

    def make(*names, **options):
        made.append(Upkept(*names, **options))
        return made[-1]

    yield make
    for each in made:
        each.upkeep.stop()


def codes(tick):
    """Return the codes of what was decided of the limits of compute of the first workload."""
    return {step.code for step in tick.decisions.steps.of(0, Layer.LIMITS, 0)}


def test_limits_follow_the_forecast_where_its_gate_is_open_and_the_day_elsewhere(upkept):
    asked, unasked = upkept(), upkept(settings=UNASKED)

    for each in (asked, unasked):
        # the day begins with the lowest use: yesterday's highest is far away
        each.move(10 * HOUR, step_s=300)
    [with_forecast] = asked.move(60)
    [without] = unasked.move(60)

    assert with_forecast.observed.observation.forecasts.limit_gate[0, 0] == Gate.OPEN
    assert Code.Forecast in codes(with_forecast)
    assert Code.Forecast not in codes(without)
    limits = [each.cluster.views[0].limit["tflops"] for each in (asked.fleet, unasked.fleet)]
    assert limits[0] < limits[1]


def test_the_fleet_is_trained_beside_the_loop_and_its_model_takes_part(upkept):
    here = upkept(*NAMES)
    here.move(60)

    here.step_until(
        lambda: ("limits", "tflops", 600) in here.upkeep.snapshot().training.models,
        "a model is trained",
    )
    here.move(600)

    stream = here.loop.model.forecasts.streams[LIMITS]
    assert stream.forecaster.model.rows >= 500
    boosted = [EXPERTS.index(name) for name in BOOSTING]
    assert np.isfinite(stream.forecaster.made[-1].values[boosted]).all()


def test_a_model_by_name_takes_part_once_it_was_fitted(upkept):
    here = upkept(settings=BY_NAME, past_days=4)
    here.move(60)

    here.step_until(lambda: here.upkeep.snapshot().named.fitted == 2, "both resources are fitted")
    # what it says is calibrated on the first outcomes, and counts from then on
    here.move(HOUR)

    made = here.loop.model.forecasts.streams[LIMITS].forecaster.made[-1]
    assert np.isfinite(made.values[EXPERTS.index("named")]).all()
    # what waits to be judged is kept in narrow numbers
    assert made.mixed.astype(np.float32).tolist() == made.uppers[EXPERTS.index("named")].tolist()


def test_where_nobody_asks_nothing_is_trained_or_fitted(upkept):
    here = upkept(settings=UNASKED)
    here.move(HOUR)

    found = here.upkeep.snapshot()
    assert found.training.models == {}
    assert (found.named.fitted, found.named.failing, found.named.left_out) == (0, 0, 0)
