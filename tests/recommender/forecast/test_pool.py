import multiprocessing
import os
import signal
import time
from itertools import count

import numpy as np
import pytest

from recommender.errors import ContractError, InvalidValueError
from recommender.forecast.named.fit import fit_forecast
from recommender.forecast.named.reason import Reason
from recommender.forecast.pool import NamedFit, fit_all, run_each
from tests.recommender.forecast.named.series import DAY, daily

LIMIT_S = 60.0
SHORT_LIMIT_S = 0.5


def double(item):
    return 2 * item


def hang_at_one(item):
    if item == 1:
        signal.pause()
    return item


def die_at_one(item):
    if item == 1:
        os._exit(3)
    return item


def never_ready():
    os._exit(3)


def run(task, items, *, limit_s=LIMIT_S, processes=2, clock=time.monotonic, prepare=None):
    return run_each(task, items, clock=clock, limit_s=limit_s, processes=processes, prepare=prepare)


def outcomes(task, items, **options):
    return [(each.answer, each.reason) for each in run(task, items, **options)]


def fit_of(history, model="ets"):
    return NamedFit(
        history=history, model=model, season_blocks=DAY, horizon_blocks=8, levels=(0.5, 0.9)
    )


@pytest.fixture
def own_children():
    """Return which children there are now that were not there before the test."""
    others = multiprocessing.active_children()
    return lambda: [each for each in multiprocessing.active_children() if each not in others]


def test_answers_come_in_the_order_of_their_items():
    assert outcomes(double, range(7)) == [(2 * item, None) for item in range(7)]


def test_nothing_to_do_starts_no_process():
    assert outcomes(double, []) == []


def test_an_item_that_overruns_is_ended_and_the_others_go_on():
    got = outcomes(hang_at_one, range(4), limit_s=SHORT_LIMIT_S, processes=1)
    assert got == [(0, None), (None, Reason.TIMED_OUT), (2, None), (3, None)]


def test_an_item_whose_process_dies_is_told_and_the_others_go_on():
    got = outcomes(die_at_one, range(4))
    assert got == [(0, None), (None, Reason.ENDED), (2, None), (3, None)]


def test_processes_that_cannot_start_end_each_item_and_not_the_caller():
    assert outcomes(double, range(3), prepare=never_ready) == [(None, Reason.ENDED)] * 3


def test_no_process_is_left_behind(own_children):
    run(hang_at_one, range(3), limit_s=SHORT_LIMIT_S)
    assert own_children() == []


def test_no_process_is_left_behind_by_a_caller_that_is_interrupted(own_children):
    looks = count()

    def interrupted():
        if next(looks) == 4:
            raise KeyboardInterrupt
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        run(double, range(3), clock=interrupted)
    assert own_children() == []


def test_what_is_not_done_when_it_is_no_longer_wanted_is_ended(own_children):
    looks = count()

    got = run_each(
        hang_at_one,
        range(3),
        clock=time.monotonic,
        limit_s=LIMIT_S,
        processes=1,
        is_wanted=lambda: next(looks) < 3,
    )

    assert [each.reason for each in got[1:]] == [Reason.ENDED, Reason.ENDED]
    assert own_children() == []


@pytest.mark.parametrize("wrong", [{"limit_s": 0.0}, {"processes": 0}])
def test_a_limit_or_a_number_of_processes_that_is_not_above_zero_is_refused(wrong):
    with pytest.raises(ContractError, match="allowed: above 0"):
        run(double, [1], **wrong)


def test_fits_are_those_of_one_process_to_the_bit_and_each_is_timed():
    fits = [
        fit_of(daily(3), "sarimax"),
        fit_of(daily(1)),
        fit_of(daily(4, seed=2), "holt-winters"),
    ]
    got = fit_all(fits, clock=time.monotonic, limit_s=LIMIT_S)
    alone = [
        fit_forecast(
            fit.history, model=fit.model, season_blocks=DAY, horizon_blocks=8, levels=(0.5, 0.9)
        )
        for fit in fits
    ]
    assert [each.reason for each in alone] == [None, Reason.TOO_SHORT, None]
    assert [each.reason for each in got] == [each.reason for each in alone]
    assert [each.mean.tobytes() for each in got] == [each.mean.tobytes() for each in alone]
    assert [each.quantiles.tobytes() for each in got] == [
        each.quantiles.tobytes() for each in alone
    ]
    assert all(each.seconds > 0 for each in got)


def test_a_fit_that_overruns_has_a_reason_and_no_value():
    (got,) = fit_all([fit_of(daily(28), "sarimax")], clock=time.monotonic, limit_s=0.001)
    assert got.reason is Reason.TIMED_OUT
    assert np.isnan(got.mean).all()
    assert got.quantiles.shape == (2, 8)


def test_a_model_that_is_not_fitted_by_name_is_refused_before_anything_starts(own_children):
    with pytest.raises(InvalidValueError, match="holt-winters, ets, sarimax"):
        fit_all([fit_of(daily(3), "gbm")], clock=time.monotonic)
    assert own_children() == []
