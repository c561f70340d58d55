"""Which minutes above what was in force say something of the risk that was asked for."""

from itertools import zip_longest

import numpy as np
import pytest

from recommender.forecast.in_force import InForce, is_above

NAN = np.nan
CHOSEN = np.array([100.0])
NO_PACE = np.array([NAN])
KEPT_RATIO = np.array([0.1])


def seen(*amounts, aimed=NO_PACE, floors=()):
    """Return a forecast of 100 after some amounts were in force, above some floors."""
    window = InForce.of(CHOSEN)
    for amount, floor in zip_longest(amounts, floors, fillvalue=NAN):
        window.take(np.array([amount]), aimed, np.array([floor]))
    return window


@pytest.mark.parametrize(
    ("amounts", "says"),
    [((100.0,), True), ((99.5, 111.0), True), ((90.0, 100.0), False), ((120.0, 130.0), False)],
)
def test_an_amount_of_the_forecast_says_something_and_one_elsewhere_does_not(amounts, says):
    assert seen(*amounts).is_of_forecast(KEPT_RATIO).tolist() == [says]


def test_a_limit_that_was_raised_by_what_came_still_says_what_came():
    window = seen(100.0, 200.0)
    assert window.is_of_forecast(KEPT_RATIO).all()
    assert is_above(window.judged, np.array([0]), np.array([150.0])).all()


@pytest.mark.parametrize(
    ("amount", "says"), [(20.0, True), (90.0, True), (150.0, True), (201.0, True), (205.0, False)]
)
def test_an_amount_on_its_way_says_something_unless_it_comes_from_far_above(amount, says):
    assert seen(amount, aimed=CHOSEN).is_of_forecast(KEPT_RATIO).tolist() == [says]


@pytest.mark.parametrize("aimed", [NAN, 80.0, 130.0])
def test_an_amount_that_goes_elsewhere_says_nothing(aimed):
    assert not seen(50.0, aimed=np.array([aimed])).is_of_forecast(KEPT_RATIO).any()


def test_what_it_goes_to_is_what_was_decided_last():
    window = seen(50.0, aimed=CHOSEN)
    window.take(np.array([60.0]), NO_PACE, NO_PACE)
    assert not window.is_of_forecast(KEPT_RATIO).any()


@pytest.mark.parametrize(
    ("amount", "floor", "judged"),
    [
        (105.0, NAN, 105.0),
        (105.0, 90.0, 105.0),
        (105.0, 105.0, 100.0),
        (200.0, 200.0, 100.0),
        (100.0, 100.0, 100.0),
        (99.5, 100.0, 99.5),
    ],
)
def test_where_a_floor_holds_the_amount_the_forecast_is_judged(amount, floor, judged):
    window = seen(amount, floors=[floor])
    assert window.is_of_forecast(KEPT_RATIO).all()
    assert window.judged.tolist() == [judged]


def test_a_floor_that_went_held_the_amount_no_more():
    assert seen(105.0, 105.0, floors=(105.0, 80.0)).judged.tolist() == [105.0]


def test_nothing_seen_says_nothing():
    assert not seen().is_of_forecast(KEPT_RATIO).any()
    assert not is_above(seen().judged, np.array([0]), np.array([500.0])).any()


def test_use_is_above_where_it_is_above_the_lowest_amount():
    window = seen(50.0, 80.0)
    found = is_above(window.lowest, np.array([0, 0]), np.array([49.0, 60.0]))
    assert found.tolist() == [False, True]
