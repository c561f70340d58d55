import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recommender.backtest.scores import (
    changes_per_day,
    coverage,
    hours,
    pinball,
    pinball_volume,
    scores_of,
    slack,
    slack_at,
    tally,
    throttled_volume,
    violated_minutes,
    violated_share,
)

NAN = float("nan")
USE = np.array([[1.0, 2.0, 3.0, NAN, 4.0]])
AMOUNT = np.array([[2.0, 2.0, 2.0, 2.0, NAN]])
amounts = arrays(np.float64, (2, 12), elements=st.floats(0.1, 100))


def test_slack_is_what_was_allocated_over_what_was_used():
    assert slack(tally(USE, AMOUNT)) == pytest.approx([6 / 6 - 1])
    assert slack(tally(np.array([[1.0, 1.0]]), np.array([[3.0, 1.0]]))) == pytest.approx([1.0])


def test_slack_is_over_mean_use_and_violation_over_the_highest():
    scored = tally(np.array([[4.0, 4.0]]), np.array([[3.0, 6.0]]), np.array([[1.0, 2.0]]))
    assert slack(scored) == pytest.approx([2.0])
    assert violated_share(scored) == pytest.approx([0.5])


def test_steps_without_use_or_amount_are_not_judged():
    assert tally(USE, AMOUNT).judged == pytest.approx([3])
    assert violated_share(tally(USE, AMOUNT)) == pytest.approx([1 / 3])


def test_use_that_equals_the_amount_is_no_violation():
    assert violated_share(tally(np.array([[2.0]]), np.array([[2.0]]))) == pytest.approx([0.0])


def test_throttled_volume_is_the_use_above_the_amount():
    assert throttled_volume(tally(USE, AMOUNT)) == pytest.approx([1 / 6])


def test_every_violated_step_of_vram_is_denied_for_its_length():
    assert violated_minutes(tally(USE, AMOUNT), step_s=300) == pytest.approx([5.0])


def test_changes_are_counted_per_day_that_was_judged_and_unknown_without_one():
    given = changes_per_day(np.array([6.0, 6.0, 0.0]), np.array([2 * 86_400, 43_200, 0]))
    np.testing.assert_allclose(given, [3.0, 12.0, np.nan])


def test_nothing_judged_has_no_scores():
    scores = scores_of(tally(np.array([[NAN]]), np.array([[1.0]])), np.array([3.0]))
    every = [scores.slack, scores.violated_share, scores.throttled_volume, scores.changes_per_day]
    assert np.isnan(every).all()


def test_pooling_adds_the_steps_of_all_workers_of_a_workload():
    use, amount = np.array([[1.0, 3.0], [5.0, 1.0], [9.0, 9.0]]), np.full((3, 2), 2.0)
    pooled = tally(use, amount).pooled(np.array([0, 0, 1]), 2)
    assert violated_share(pooled) == pytest.approx([0.5, 1.0])
    assert pooled.used == pytest.approx([10.0, 18.0])


@given(amounts, amounts)
def test_a_higher_amount_never_violates_more_and_never_has_less_slack(use, amount):
    lower, higher = tally(use, amount), tally(use, amount * 1.5)
    assert (violated_share(higher) <= violated_share(lower)).all()
    assert (throttled_volume(higher) <= throttled_volume(lower)).all()
    assert (slack(higher) >= slack(lower)).all()


@given(amounts, amounts, st.floats(0.01, 1000))
def test_scores_have_no_unit(use, amount, unit):
    plain, scaled = tally(use, amount), tally(use * unit, amount * unit)
    assert slack(scaled) == pytest.approx(slack(plain), rel=1e-6, abs=1e-9)
    assert throttled_volume(scaled) == pytest.approx(throttled_volume(plain), rel=1e-6, abs=1e-9)


def test_slack_at_a_point_of_the_sweep_is_that_points_slack():
    assert slack_at(0.01, np.array([1.0, 2.0]), np.array([0.05, 0.01])) == pytest.approx(2.0)


def test_between_points_slack_is_interpolated_in_the_logarithm_of_violation():
    middle = 10 ** ((np.log10(0.02) + np.log10(0.005)) / 2)
    assert slack_at(middle, np.array([1.0, 2.0]), np.array([0.02, 0.005])) == pytest.approx(1.5)


def test_points_a_decade_apart_are_not_joined():
    assert slack_at(0.01, np.array([1.0, 2.0]), np.array([0.1, 0.001])) == pytest.approx(2.0)


def test_a_sweep_that_never_gets_down_to_the_violation_has_no_slack():
    assert np.isnan(slack_at(0.01, np.array([1.0, 2.0]), np.array([0.05, 0.02])))


def test_the_envelope_takes_the_cheapest_of_the_points_that_reach_it():
    slacks, violations = np.array([1.0, 3.0, 1.6]), np.array([0.02, 0.01, 0.008])
    joined = 1.0 + 0.6 * (np.log10(0.02) - np.log10(0.01)) / (np.log10(0.02) - np.log10(0.008))
    assert slack_at(0.01, slacks, violations) == pytest.approx(joined)


def test_pinball_weighs_a_shortfall_by_the_level_and_a_surplus_by_the_rest():
    assert pinball(0.9, np.array([10.0]), np.array([12.0])) == pytest.approx(1.8)
    assert pinball(0.9, np.array([10.0]), np.array([8.0])) == pytest.approx(0.2)


@given(amounts, amounts, st.floats(0, 1))
def test_the_pinball_loss_of_a_tally_is_that_of_its_steps(use, amount, level):
    volume = pinball_volume(tally(use, amount), level)
    assert volume == pytest.approx(pinball(level, amount, use) * use.shape[1], rel=1e-4, abs=1e-2)


def test_a_sum_over_steps_becomes_hours():
    assert hours(np.array([120.0]), step_s=60) == pytest.approx([2.0])


def test_a_worker_on_several_devices_counts_its_amounts_on_each_and_its_steps_once():
    one = tally(USE, AMOUNT)
    three = one.of_devices(np.array([3]))
    assert three.allocated == pytest.approx(3 * one.allocated)
    assert three.above == pytest.approx(3 * one.above)
    assert three.judged == pytest.approx(one.judged)
    assert slack(three) == pytest.approx(slack(one))


def test_the_total_of_a_tally_adds_its_entries():
    both = tally(np.array([[1.0, 3.0], [5.0, 1.0]]), np.full((2, 2), 2.0)).total()
    assert (float(both.judged), float(both.violated), float(both.used)) == (4.0, 2.0, 10.0)


@given(arrays(np.float64, 50, elements=st.floats(0, 100)), st.floats(0, 100))
def test_no_constant_beats_the_quantile_in_pinball_loss(outcome, other):
    quantile = np.quantile(outcome, 0.9, method="inverted_cdf")
    assert pinball(0.9, quantile, outcome) <= pinball(0.9, np.array(other), outcome) + 1e-9


def test_coverage_is_the_share_of_outcomes_at_or_below_their_forecast():
    outcome = np.array([1.0, 2.0, 3.0, NAN])
    assert coverage(np.full(4, 2.0), outcome) == pytest.approx(2 / 3)
