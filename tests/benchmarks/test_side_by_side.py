"""Several questions about one past are answered as each would be alone."""

import numpy as np
import pytest

from tests.benchmarks.forecast_plugin import Forecasting, forget_models
from tests.benchmarks.test_forecast_plugin import HOURS, SEEN_FROM, allocations, panel
from tests.recommender.forecast.series import daily

UNTIL = 120


@pytest.fixture(autouse=True)
def no_models():
    forget_models()


def together(knobs, *, hours=HOURS, task="limits", until=UNTIL, **attributes):
    """Return what is answered at each column, ``[T, knobs, S]``."""
    method = type("Method", (Forecasting,), attributes)
    replayed = method(panel([f"series-{i}" for i in range(hours.shape[1])], task))
    hist = np.ascontiguousarray(hours.T)
    return np.array(
        [replayed.allocate_each(t, hist[:, :t], knobs) for t in range(SEEN_FROM, until)]
    )


@pytest.mark.parametrize("knobs", [(0.2, 0.05, 1.3), (0.9, 0.6)])
def test_every_knob_gives_what_it_gives_alone(knobs):
    given = together(knobs)
    for number, knob in enumerate(knobs):
        forget_models()
        np.testing.assert_array_equal(given[:, number], allocations(HOURS, knob, until=UNTIL))


DAYS = daily(8, 4, noise=0.2)
"""Enough for gates to open."""


def test_every_knob_spends_its_own_risk():
    given = together((0.2, 0.05, 1.3), hours=DAYS, task="requests", until=len(DAYS))
    for number, knob in enumerate((0.2, 0.05, 1.3)):
        forget_models()
        alone = allocations(DAYS, knob, task="requests")
        np.testing.assert_array_equal(given[:, number], alone)


@pytest.mark.parametrize(
    ("task", "knob", "is_spent_by_width"),
    [
        ("requests", 0.05, True),
        ("vram", 0.05, True),
        ("limits", 0.05, True),
        ("requests", 0.9, False),
    ],
)
def test_a_risk_is_spent_by_width_and_a_quantile_is_not(task, knob, is_spent_by_width):
    replay = {"hours": DAYS, "task": task, "until": len(DAYS)}
    by_width = together((knob,), **replay)
    forget_models()
    evenly = together((knob,), **replay, without=("spending",))
    assert (by_width != evenly).any() == is_spent_by_width


def test_quantiles_and_risks_are_not_replayed_together():
    with pytest.raises(ValueError, match="not replayed together"):
        together((0.9, 0.05))


@pytest.mark.parametrize("parts", [("calm",), ("steering",), ("gate", "model"), ("gate", "ridge")])
def test_what_is_left_out_changes_the_answers(parts):
    *others, part = parts
    whole = together((0.05,), without=others)
    forget_models()
    assert (together((0.05,), without=(*others, part)) != whole).any()
