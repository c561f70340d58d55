import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.report.hours import MOST_HOURS, LongMemory
from recommender.resources import TFLOPS, VRAM
from recommender.usage.evidence_of import read_evidence
from tests.recommender.usage.one_workload import BEGIN_S, OneWorkload

HOUR_S, DAY_S = 3600, 86_400


class Remembering(OneWorkload):
    """One workload, beside which hours are kept."""

    def __init__(self):
        super().__init__()
        self.model = LongMemory((TFLOPS, VRAM))
        self.rows = self.model.workload_rows([("team", "chat", "")])
        self.workers = self.model.worker_rows(self.rows, ["chat-0"])

    def feed_days(self, value_of, days, step_s=300):
        """Feed ``value_of(second)`` day after day, time passing with it."""
        for day in range(days):
            seconds = range(day * DAY_S, (day + 1) * DAY_S, step_s)
            self.feed([(t, value_of(t)) for t in seconds], step_s=step_s)
            self.advance((day + 1) * DAY_S + 120)

    def hours(self):
        return self.model.hours(self.rows)


def test_hours_reach_back_further_than_the_week_of_the_blocks():
    one = Remembering()
    one.feed_days(lambda t: 1.0 + t // DAY_S, days=16)
    hours = one.hours()

    assert hours.end_s == BEGIN_S + 16 * DAY_S
    assert hours.mean.shape == (1, 2, 16 * 24)
    assert hours.mean[0, 0].tolist() == [1.0 + day for day in range(16) for _ in range(24)]
    assert np.isnan(hours.mean[0, 1]).all()


def test_what_is_older_than_four_weeks_is_left_out():
    one = Remembering()
    one.feed_days(lambda t: 1.0 + t // DAY_S, days=30, step_s=HOUR_S)
    hours = one.hours()

    assert hours.mean.shape[2] == MOST_HOURS
    assert hours.mean[0, 0, 0] == 3.0


def test_an_hour_without_samples_is_not_known():
    one = Remembering()
    one.feed_constant(5.0, 0, HOUR_S)
    one.feed_constant(7.0, 2 * HOUR_S, 3 * HOUR_S)
    one.advance(3 * HOUR_S + 120)

    assert np.array_equal(one.hours().mean[0, 0], [5.0, np.nan, 7.0], equal_nan=True)


def test_before_anything_was_measured_there_are_no_hours():
    one = Remembering()
    one.advance(DAY_S)

    assert one.hours() is None


def test_a_workload_that_came_later_has_no_earlier_hours():
    one = Remembering()
    one.feed_constant(5.0, 0, HOUR_S)
    one.advance(HOUR_S + 120)
    one.rows = one.model.workload_rows([("team", "chat", ""), ("team", "new", "")])
    one.workers = one.model.worker_rows(one.rows, ["chat-0", "new-0"])
    one.feed_constant(9.0, HOUR_S, 2 * HOUR_S, worker=1)
    one.advance(2 * HOUR_S + 120)

    assert np.array_equal(one.hours().mean[:, 0], [[5.0, np.nan], [np.nan, 9.0]], equal_nan=True)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.floats(0.125, 100, width=32), min_size=1, max_size=60),
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
)
def test_hours_are_means_of_the_blocks_however_time_passes(values, steps):
    one = Remembering()
    now = 0
    for number, value in enumerate(values):
        one.feed_constant(value, number * 300, (number + 1) * 300, step_s=60)
        if number == now:
            one.advance(number * 300)
            now += steps[number % len(steps)]
    end_s = len(values) * 300
    one.advance(end_s + 120)
    blocks = read_evidence(one.model, one.rows, BEGIN_S + end_s).block_mean[0, 0]
    padded = np.append(blocks, np.full(-len(blocks) % 12, np.nan)).reshape(-1, 12)

    assert one.hours().mean[0, 0] == pytest.approx(np.nanmean(padded, axis=1), rel=1e-5)
