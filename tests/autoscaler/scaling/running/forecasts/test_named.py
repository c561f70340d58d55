"""Models that workloads ask for by name: who gets one, when, and what becomes of them."""

import logging
import threading

import numpy as np
import pytest

from autoscaler.scaling.running.forecasts.aside import Aside
from autoscaler.scaling.running.forecasts.named import (
    LOOK_S,
    MOST_AT_ONCE,
    NamedModels,
    fitted,
)
from recommender.decision import Layer
from recommender.forecast.absence import Absence
from recommender.forecast.asked import StreamKey
from recommender.forecast.models import MOST_NAMED_IN_THE_LOOP, ModelName
from recommender.forecast.named.fit import NamedForecast, fit_forecast, without_value
from recommender.forecast.named.reason import Reason
from recommender.forecast.named_wish import FITTED_EVERY_S, NamedWish
from recommender.resources import TFLOPS, VRAM
from tests.components.processes import until
from tests.recommender.forecast.named.series import DAY, daily

NOW = 1_767_571_200
LIMITS, REQUESTS = StreamKey(Layer.LIMITS, 0, 600), StreamKey(Layer.REQUESTS, 0, 3600)


def wish(row, key=LIMITS, *, values=None, model=ModelName.ETS):
    values = np.full(10, 1.0 * row) if values is None else values
    return NamedWish(
        key=key, row=row, model=model, block=1000, block_s=86400 // len_of(key), values=values
    )


def len_of(key):
    """Return blocks of a day."""
    return DAY if key is LIMITS else 24


class WishForecasts:
    """Stands for the forecasts of a fleet: wishes that tests set."""

    def __init__(self, *wishes):
        self.wishes, self.courses, self.installs = wishes, {}, []
        self.unfitted = None

    def named_wanted(self):
        return self.wishes

    def install_named(self, wish, course):
        self.courses[wish.key, wish.row] = course
        self.installs.append((wish.key, wish.row))

    def tell_unfitted(self, why):
        self.unfitted = why


class World:
    def __init__(self, *wishes, fits=None, **options):
        self.aside = Aside()
        self.forecasts = WishForecasts(*wishes)
        self.asked = []
        self.answer = fits or (lambda fit: flat(fit, float(fit.history[-1])))
        self.now_s = NOW
        self.keys = [("team", f"w{row:02}", "A100") for row in range(40)]
        self.models = NamedModels(self.aside, (TFLOPS, VRAM), fits=self.fits, **options)

    def fits(self, fits, _is_wanted):
        self.asked.append(fits)
        return [self.answer(fit) for fit in fits]

    def step(self):
        self.models.step(self.forecasts, self.keys, self.now_s)

    def rest(self):
        """Tick until nothing is on its way any more."""

        def rests():
            before = len(self.asked)
            self.step()
            return before == len(self.asked) and self.models.snapshot().busy == 0

        until(rests, what="all that is due was fitted")

    def fits_asked(self):
        return sum(map(len, self.asked))


def flat(fit, value):
    course = np.full(fit.horizon_blocks, value)
    return NamedForecast(mean=course, quantiles=course[None, :])


@pytest.fixture
def world():
    made = []

    def make(*wishes, **options):
        made.append(World(*wishes, **options))
        return made[-1]

    yield make
    for each in made:
        each.aside.stop()


def test_a_course_of_a_day_is_installed_for_each_series_that_asks(world):
    here = world(wish(3), wish(3, REQUESTS), wish(5))

    here.rest()

    lengths = {series: len(course) for series, course in here.forecasts.courses.items()}
    assert lengths == {(LIMITS, 3): DAY, (REQUESTS, 3): 24, (LIMITS, 5): DAY}
    assert here.forecasts.courses[LIMITS, 5][0] == 5.0
    assert (here.models.snapshot().fitted, here.models.snapshot().failing) == (3, 0)


def test_a_model_is_fitted_again_an_hour_later(world):
    here = world(wish(3))
    here.rest()
    here.now_s += FITTED_EVERY_S - LOOK_S
    here.rest()
    before = here.fits_asked()
    here.now_s += LOOK_S
    here.rest()

    assert (before, here.fits_asked()) == (1, 2)


def test_a_workload_that_asks_later_waits_for_minutes_and_not_for_an_hour(world):
    here = world(wish(3))
    here.rest()
    here.forecasts.wishes += (wish(4),)
    here.now_s += LOOK_S
    here.rest()

    assert set(here.forecasts.courses) == {(LIMITS, 3), (LIMITS, 4)}
    assert here.fits_asked() == 2


def test_so_many_fits_are_one_piece_of_work_at_most(world):
    here = world(*[wish(row) for row in range(MOST_NAMED_IN_THE_LOOP)])
    here.rest()

    assert [len(fits) for fits in here.asked] == [MOST_AT_ONCE, MOST_AT_ONCE, 4]


def test_workloads_beyond_the_most_go_on_without_and_are_told_once(world, caplog):
    wishes = [wish(row, key) for row in (7, 2, 9) for key in (LIMITS, REQUESTS)]
    here = world(*wishes, most_workloads=2)
    here.rest()
    here.now_s += LOOK_S
    here.rest()

    assert {row for _, row in here.forecasts.courses} == {2, 7}
    assert here.models.snapshot().left_out == 1
    told = (
        "1 workload beyond the 2 that are served asked for a model which is fitted for each of "
        "them (ets, sarimax); their model is auto: team/w09"
    )
    assert caplog.messages == [told]
    assert here.forecasts.unfitted == {(key, 9): Absence.LEFT_OUT for key in (LIMITS, REQUESTS)}


def test_the_gpu_models_of_one_workload_count_once(world):
    here = world(wish(1), wish(2), most_workloads=1)
    here.keys[2] = ("team", "w01", "H100")
    here.rest()

    assert len(here.forecasts.courses) == 2
    assert here.models.snapshot().left_out == 0


def test_a_fit_without_a_forecast_is_counted_and_told_once_for_each_reason(world, caplog):
    caplog.set_level(logging.INFO)
    here = world(wish(3), fits=lambda fit: without_value(Reason.TOO_SHORT, fit.horizon_blocks, 1))
    here.rest()
    here.now_s += FITTED_EVERY_S
    here.rest()

    found = here.models.snapshot()
    assert here.forecasts.courses == {}
    assert (found.fitted, found.failing, found.failures[Reason.TOO_SHORT]) == (0, 1, 2)
    told = (
        "ets of team/w03, limits of tflops, 10 min ahead: no forecast, and its model is auto until "
        "there is one: The history is shorter than two seasons, or than 48 steps."
    )
    assert caplog.messages == [told]
    assert here.forecasts.unfitted == {(LIMITS, 3): Absence.TOO_SHORT}


def test_why_there_is_no_model_is_told_no_longer_once_there_is_one(world):
    answers = iter([Reason.TIMED_OUT, None])

    def answer(fit):
        reason = next(answers)
        return flat(fit, 1.0) if reason is None else without_value(reason, fit.horizon_blocks, 1)

    here = world(wish(3), fits=answer)
    here.rest()
    before = here.forecasts.unfitted
    here.now_s += FITTED_EVERY_S
    here.rest()

    assert (before, here.forecasts.unfitted) == ({(LIMITS, 3): Absence.TIMED_OUT}, {})


def test_fits_that_cannot_be_begun_cost_no_tick(world, caplog):
    def fail(_fit):
        raise OSError("no room")

    here = world(wish(3), fits=fail)
    here.rest()

    assert here.models.snapshot().failures[Reason.ENDED] == 1
    assert caplog.messages == ["models by name were not fitted: OSError: no room"]


def test_no_tick_waits_for_a_fit(world):
    may_end = threading.Event()

    def wait(fit):
        may_end.wait(60.0)
        return flat(fit, 1.0)

    here = world(wish(3), fits=wait)
    here.step()
    here.step()
    before = dict(here.forecasts.courses)
    may_end.set()
    here.rest()

    assert (before, len(here.forecasts.courses)) == ({}, 1)


def test_a_usage_model_that_takes_the_place_of_another_is_fitted_anew(world):
    here = world(wish(3))
    here.step()
    short, here.forecasts = here.forecasts, WishForecasts(wish(3))
    here.rest()

    assert (short.courses, len(here.forecasts.courses)) == ({}, 1)


def test_a_series_that_asks_no_longer_is_counted_no_longer(world):
    here = world(wish(3), wish(4))
    here.rest()
    here.forecasts.wishes = (wish(4),)
    here.now_s += LOOK_S
    here.rest()

    assert here.models.snapshot().fitted == 1


def test_nobody_who_asks_costs_nothing(world):
    here = world()
    here.rest()

    assert here.asked == []


def test_a_real_process_fits_what_would_be_fitted_here():
    here = World(wish(0, values=daily(3), model=ModelName.SARIMAX))
    here.models = NamedModels(here.aside, (TFLOPS, VRAM), fits=fitted)

    here.step()
    until(lambda: here.step() or here.forecasts.courses, what="a course is installed")
    here.aside.stop()

    alone = fit_forecast(
        daily(3), model="sarimax", season_blocks=DAY, horizon_blocks=DAY, levels=(0.5,)
    )
    assert here.forecasts.courses[LIMITS, 0].tobytes() == alone.mean.tobytes()
