from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import ContractError
from recommender.usage.histograms import HistogramBank
from recommender.usage.layout import LEARNED_SPAN, Layout
from tests.recommender.usage.scalar_histogram import ScalarHistogram, ScalarLayout

HOUR_S = 3600
NOW_S = 1_700_006_400
LAYOUT = ScalarLayout(0.01, 1000.0)


def bank(rows=1, half_life_s=HOUR_S, **layout):
    made = HistogramBank(Layout(1000.0 / 0.01, **layout), first_bucket=0.01)
    made.grow(rows, half_life_s)
    return made


def learned(rows=1):
    made = HistogramBank(Layout(LEARNED_SPAN))
    made.grow(rows, HOUR_S)
    return made


def add(to, value, ts=NOW_S, row=0, weight=1.0):
    to.add(np.array([row]), np.array([float(value)]), np.array([int(ts)]), weight)


def subtract(of, value, ts=NOW_S, row=0, weight=1.0):
    of.subtract(np.array([row]), np.array([float(value)]), np.array([int(ts)]), weight)


def percentile(of, level, row=0, *, is_load_weighted=False):
    weighted = np.array([is_load_weighted])
    values = of.percentiles(np.array([row]), np.array([[level]]), is_load_weighted=weighted)
    return values[0, 0].item()


def end_of_bucket(value):
    return pytest.approx(LAYOUT.reported(LAYOUT.find(value)), rel=1e-12)


def relative_weights(of, row=0):
    return of.weights[row] / of.newest_weight[row]


def test_an_empty_histogram_has_no_percentile():
    empty = bank()
    assert math.isnan(percentile(empty, 0.0))
    assert math.isnan(percentile(empty, 1.0))
    assert empty.is_empty(np.array([0])).tolist() == [True]


def test_percentiles_of_weights_1_to_4_reach_the_buckets_in_turn():
    h = bank()
    for value in (1, 2, 3, 4):
        add(h, value, weight=float(value))
    levels = {0.0: 1, 0.1: 1, 0.11: 2, 0.3: 2, 0.31: 3, 0.6: 3, 0.61: 4, 1.0: 4}
    for level, value in levels.items():
        assert percentile(h, level) == end_of_bucket(value)


def test_levels_outside_0_and_1_give_the_ends():
    h = bank()
    add(h, 1.0)
    add(h, 2.0)
    assert percentile(h, -0.1) == end_of_bucket(1.0)
    assert percentile(h, 1.1) == end_of_bucket(2.0)


def test_the_last_bucket_reports_its_start():
    h = bank()
    add(h, 1e6)
    assert percentile(h, 0.5) == pytest.approx(LAYOUT.start(175), rel=1e-12)


def test_a_weight_below_epsilon_counts_as_nothing_at_both_ends():
    h = bank()
    add(h, 0.1, weight=5e-5)
    add(h, 1.0)
    add(h, 10.0, weight=5e-5)
    assert percentile(h, 0.0) == end_of_bucket(1.0)
    assert percentile(h, 1.0) == end_of_bucket(1.0)


def test_a_weight_of_epsilon_counts():
    h = bank()
    add(h, 1.0)
    add(h, 10.0, weight=1e-4)
    assert percentile(h, 1.0) == end_of_bucket(10.0)


def test_a_histogram_with_less_than_epsilon_is_empty():
    h = bank()
    add(h, 1.0, weight=2.5e-4)
    subtract(h, 1.0, weight=1e-4)
    assert h.is_empty(np.array([0])).tolist() == [False]
    subtract(h, 1.0, weight=1e-4)
    assert h.is_empty(np.array([0])).tolist() == [True]
    assert h.weights.sum() == 0.0


def test_subtracting_more_than_there_is_leaves_zero():
    h = bank()
    add(h, 1.0)
    subtract(h, 1.0, weight=5.0)
    assert h.weights.sum() == 0.0


def test_a_sample_weighs_half_after_one_half_life():
    h = bank()
    add(h, 1.0, NOW_S)
    add(h, 2.0, NOW_S + HOUR_S)
    weights = relative_weights(h)
    assert weights[LAYOUT.find(1.0)] == pytest.approx(0.5)
    assert weights[LAYOUT.find(2.0)] == pytest.approx(1.0)


def test_samples_one_half_life_apart_shift_the_percentiles_to_the_newer_ones():
    h = bank()
    for i in range(1, 5):
        add(h, i, NOW_S + i * HOUR_S, weight=float(i))
    # weights 1/8, 2/4, 3/2, 4: cumulative 2.04 %, 10.2 %, 34.7 %, 100 %
    levels = {0.02: 1, 0.03: 2, 0.10: 2, 0.11: 3, 0.34: 3, 0.35: 4, 1.0: 4}
    for level, value in levels.items():
        assert percentile(h, level) == end_of_bucket(value)


def test_a_heavy_old_sample_is_almost_gone_after_20_half_lives():
    h = bank()
    add(h, 2.0, NOW_S, weight=1000.0)
    add(h, 1.0, NOW_S + 20 * HOUR_S)
    assert percentile(h, 0.999) == end_of_bucket(1.0)
    assert percentile(h, 1.0) == end_of_bucket(2.0)


def test_the_reference_starts_at_a_multiple_of_the_half_life():
    h = bank(half_life_s=7 * HOUR_S)
    add(h, 1.0, NOW_S)
    assert h.reference_s[0] % (7 * HOUR_S) == 0
    assert abs(h.reference_s[0] - NOW_S) <= 3.5 * HOUR_S


def test_the_reference_stays_up_to_an_exponent_of_100_and_then_moves_to_the_sample():
    h = bank()
    add(h, 2.0, NOW_S)
    add(h, 1.0, NOW_S + 100 * HOUR_S)
    assert h.reference_s.tolist() == [NOW_S]
    add(h, 1.0, NOW_S + 101 * HOUR_S)
    assert h.reference_s.tolist() == [NOW_S + 101 * HOUR_S]
    assert percentile(h, 1.0) == end_of_bucket(1.0)


def test_weights_stay_finite_over_years():
    h = bank()
    for day in range(0, 2000, 50):
        add(h, 1.0, NOW_S + day * 86400)
    assert np.isfinite(h.weights).all()
    assert percentile(h, 0.5) == end_of_bucket(1.0)


def test_a_maximum_is_forgotten_after_13_half_lives_however_it_was_handed_in():
    step_by_step, at_once = bank(), bank()
    hours = np.arange(15)
    values = np.where(hours == 0, 50.0, 1.0)
    for hour, value in zip(hours, values, strict=True):
        add(step_by_step, value, NOW_S + hour * HOUR_S)
    at_once.add(np.zeros(15, np.int64), values, NOW_S + hours * HOUR_S)
    assert percentile(step_by_step, 1.0) == end_of_bucket(1.0)
    assert percentile(at_once, 1.0) == end_of_bucket(1.0)


def test_merging_aligns_the_references():
    one, other, both = bank(), bank(), bank()
    add(one, 1.0, NOW_S)
    add(both, 1.0, NOW_S)
    for value, hour in ((2.0, 150), (3.0, 149)):
        add(other, value, NOW_S + hour * HOUR_S)
        add(both, value, NOW_S + hour * HOUR_S)
    one.merge(other)
    assert relative_weights(one) == pytest.approx(relative_weights(both), rel=1e-9)
    assert one.reference_s.tolist() == other.reference_s.tolist()


def test_merging_leaves_the_other_bank_as_it_was():
    one, other = bank(), bank()
    add(one, 1.0, NOW_S + 500 * HOUR_S)
    add(other, 2.0, NOW_S)
    before = other.weights.copy()
    one.merge(other)
    assert other.weights.tolist() == before.tolist()


def test_banks_of_other_half_lives_do_not_merge():
    with pytest.raises(ContractError, match="half-life"):
        bank().merge(bank(half_life_s=60))


def test_load_weighting_counts_work_instead_of_time():
    # nine times 1 and once 10: nine tenths of the time, but less than half of the work
    h = bank()
    for _ in range(9):
        add(h, 1.0)
    add(h, 10.0)
    assert percentile(h, 0.9) == end_of_bucket(1.0)
    assert percentile(h, 0.9, is_load_weighted=True) == end_of_bucket(10.0)


def test_a_changed_half_life_keeps_the_percentiles_and_decays_by_the_new_one():
    h = bank()
    for hour in range(6):
        add(h, 1.0 + hour, NOW_S + hour * HOUR_S)
    now_s = NOW_S + 5 * HOUR_S
    levels = (0.1, 0.5, 0.9, 1.0)
    before = [percentile(h, level) for level in levels]
    old = relative_weights(h)
    h.set_half_life(np.array([0]), np.array([24 * HOUR_S]), now_s)
    assert [percentile(h, level) for level in levels] == before
    add(h, 100.0, now_s + 24 * HOUR_S)
    new = relative_weights(h)
    assert new[LAYOUT.find(6.0)] == pytest.approx(old[LAYOUT.find(6.0)] / 2, rel=1e-4)


@pytest.mark.parametrize("half_life_s", [60, 24 * HOUR_S, 400 * HOUR_S])
def test_a_half_life_that_changes_long_after_the_last_sample_loses_nothing(half_life_s):
    h = bank()
    add(h, 1.0, NOW_S)
    add(h, 2.0, NOW_S + HOUR_S)
    h.set_half_life(np.array([0]), np.array([half_life_s]), NOW_S + 5000 * HOUR_S)
    assert percentile(h, 1.0) == end_of_bucket(2.0)
    assert percentile(h, 0.1) == end_of_bucket(1.0)


def test_a_cleared_row_is_like_a_new_one():
    h = bank(2)
    add(h, 5.0, row=0)
    add(h, 7.0, row=1)
    h.set_half_life(np.array([0]), np.array([60]), NOW_S)
    h.clear(np.array([0]), HOUR_S)
    fresh = bank()
    for name in ("weights", "reference_s", "half_life_s", "first", "newest_weight"):
        assert getattr(h, name)[0].tolist() == getattr(fresh, name)[0].tolist()
    assert percentile(h, 1.0, row=1) == end_of_bucket(7.0)


def test_rows_do_not_touch_each_other():
    h = bank(3)
    h.add(np.array([0, 2, 0]), np.array([1.0, 3.0, 2.0]), np.full(3, NOW_S))
    assert percentile(h, 1.0, row=0) == end_of_bucket(2.0)
    assert math.isnan(percentile(h, 1.0, row=1))
    assert percentile(h, 1.0, row=2) == end_of_bucket(3.0)


def test_a_learned_layout_starts_at_a_ten_thousandth_of_the_first_maximum():
    h = learned()
    h.add(np.zeros(3, np.int64), np.array([2.0, 7.0, 5.0]), np.full(3, NOW_S))
    assert h.first.tolist() == [7e-4]
    assert 7.0 < percentile(h, 1.0) <= 7.0 * 1.0501


def test_a_learned_layout_waits_for_a_positive_value():
    h = learned()
    add(h, 0.0)
    assert math.isnan(percentile(h, 1.0))
    add(h, 3.0)
    assert h.first.tolist() == [3e-4]
    assert h.weights[0, 0] == 1.0


def test_values_that_outgrow_a_learned_layout_rebucket_it():
    h = learned()
    add(h, 1.0)
    add(h, 5000.0)
    assert h.first.tolist() == [0.5]
    assert h.weights.sum() == 2.0
    assert 5000.0 < percentile(h, 1.0) <= 5000.0 * 1.0501


@given(
    st.lists(st.floats(1.0, 100.0), min_size=1, max_size=20),
    st.floats(1e4, 1e7),
)
def test_rebucketing_keeps_weight_and_order(values, outgrown):
    h = learned()
    n = len(values)
    h.add(np.zeros(n, np.int64), np.array(values), np.full(n, NOW_S))
    levels = np.linspace(0.0, 1.0, 9)[None, :]
    add(h, outgrown)
    after = h.percentiles(np.array([0]), levels)[0]
    assert h.weights.sum() == pytest.approx(n + 1)
    assert (np.diff(after) >= 0).all()
    assert percentile(h, 1.0) == pytest.approx(outgrown, rel=0.0501)


_times = st.integers(NOW_S, NOW_S + 300 * HOUR_S)
_samples = st.lists(st.tuples(st.floats(0.0, 2000.0), _times), min_size=1, max_size=25)
_levels = st.sampled_from([0.0, 0.13, 0.5, 0.87, 0.95, 0.99, 1.0])


@given(_samples, st.sampled_from([600, HOUR_S, 24 * HOUR_S]), _levels, st.booleans())
def test_percentiles_agree_with_the_scalar_rules(samples, half_life_s, level, is_load_weighted):
    h, oracle = bank(half_life_s=half_life_s), ScalarHistogram(LAYOUT, half_life_s)
    for value, ts in samples:
        add(h, value, ts)
        oracle.add(value, ts)
    expected = oracle.percentile(level, is_load_weighted=is_load_weighted)
    assert percentile(h, level, is_load_weighted=is_load_weighted) == pytest.approx(
        expected, rel=1e-9
    )


@given(_samples, st.sampled_from([600, HOUR_S, 24 * HOUR_S]), st.randoms(use_true_random=False))
def test_weights_agree_with_the_scalar_rules_in_any_order_and_grouping(samples, half_life_s, rng):
    oracle = ScalarHistogram(LAYOUT, half_life_s)
    for value, ts in samples:
        oracle.add(value, ts)
    shuffled = rng.sample(samples, len(samples))
    cut = rng.randint(0, len(samples))
    h = bank(half_life_s=half_life_s)
    for part in (shuffled[:cut], shuffled[cut:]):
        values = np.array([value for value, _ in part])
        h.add(np.zeros(len(part), np.int64), values, np.array([ts for _, ts in part], np.int64))
    expected = np.zeros(LAYOUT.buckets)
    for bucket, weight in oracle.weights().items():
        expected[bucket] = weight
    assert relative_weights(h) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(_samples, st.sampled_from([600, HOUR_S, 24 * HOUR_S]))
def test_a_narrow_bank_holds_the_same_in_half_of_the_memory(samples, half_life_s):
    wide = bank(half_life_s=half_life_s)
    narrow = HistogramBank(Layout(1000.0 / 0.01), first_bucket=0.01, is_narrow=True)
    narrow.grow(1, half_life_s)
    for value, ts in samples:
        for each in (wide, narrow):
            add(each, value, ts)
    assert narrow.weights.nbytes * 2 == wide.weights.nbytes
    assert relative_weights(narrow) == pytest.approx(relative_weights(wide), rel=1e-5, abs=1e-6)


def test_nothing_can_be_taken_back_from_a_narrow_bank():
    narrow = HistogramBank(Layout(LEARNED_SPAN), is_narrow=True)
    narrow.grow(1, HOUR_S)
    add(narrow, 1.0)
    with pytest.raises(ContractError, match="narrow"):
        subtract(narrow, 1.0)


@given(_samples, _samples, _levels)
def test_a_merged_bank_agrees_with_the_scalar_rules(ours, theirs, level):
    one, other, oracle = bank(), bank(), ScalarHistogram(LAYOUT, HOUR_S)
    for into, samples in ((one, ours), (other, theirs)):
        for value, ts in samples:
            add(into, value, ts)
            oracle.add(value, ts)
    one.merge(other)
    assert percentile(one, level) == pytest.approx(oracle.percentile(level), rel=1e-9)


@given(_samples, st.floats(0.0, 2000.0), _times)
def test_what_is_added_and_taken_back_at_one_time_leaves_no_trace(samples, value, ts):
    h, untouched = bank(), bank()
    # the newest time is the same in both, so that weights can be compared
    for into in (h, untouched):
        add(into, 1.0, NOW_S + 300 * HOUR_S)
        for kept, when in samples:
            add(into, kept, when)
    add(h, value, ts)
    subtract(h, value, ts)
    assert relative_weights(h) == pytest.approx(relative_weights(untouched), abs=1e-4)
