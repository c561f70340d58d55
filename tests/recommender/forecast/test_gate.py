"""A forecast counts only where it earns its place, and the gate says why not."""

import numpy as np
import pytest

from recommender.forecast.gate import Gate, Gates
from tests.recommender.forecast.series import past_of

ENOUGH = np.array([1000.0])


def state(gates, *, top=None, seen=ENOUGH, windows=ENOUGH):
    top = np.ones((24, 1)) if top is None else top
    return Gate(int(gates.state(past_of(top), seen, windows)[0]))


def better():
    gates = Gates.empty(1)
    gates.judge(np.array([0.5]), np.array([1.0]))
    return gates


def test_a_forecast_that_costs_less_counts():
    assert state(better()) is Gate.OPEN


def test_a_forecast_must_be_five_percent_better_to_begin_and_only_better_to_stay():
    gates, histogram = Gates.empty(1), np.array([1.0])
    seen = []
    for loss in (0.97, 0.94, 0.97, 1.0, 0.97):
        gates.judge(np.array([loss]), histogram)
        seen.append(state(gates))
    assert seen == [Gate.NO_GAIN, Gate.OPEN, Gate.OPEN, Gate.NO_GAIN, Gate.NO_GAIN]


def test_nothing_judged_is_no_gain():
    gates = Gates.empty(1)
    gates.judge(np.zeros(1), np.zeros(1))
    assert state(gates) is Gate.NO_GAIN


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"seen": np.array([5.0])}, Gate.YOUNG),
        ({"windows": np.array([99.0])}, Gate.UNPROVEN),
        ({"top": np.where(np.arange(24)[:, None] >= 22, np.nan, 1.0)}, Gate.GAPS),
    ],
)
def test_what_knows_too_little_does_not_count(changes, gate):
    assert state(better(), **changes) is gate


@pytest.mark.parametrize(("risk", "blocks"), [(0.001, 3), (0.15, 3), (0.2, 4), (0.45, 8)])
def test_demand_that_leaves_everything_behind_again_and_again_is_a_step(risk, blocks):
    gates, level, low, high = better(), np.array([1 - risk]), np.array([5.0]), np.array([11.0])
    for _ in range(blocks - 1):
        gates.note(np.array([10.0]), low, level)
    assert state(gates) is Gate.OPEN
    gates.note(np.array([10.0]), low, level)
    assert state(gates) is Gate.STEP

    gates.note(np.array([10.0]), high, level)
    assert state(gates) is Gate.OPEN
