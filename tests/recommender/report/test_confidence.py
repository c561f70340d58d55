import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.report.blocks import ItemEvidence
from recommender.report.confidence import confidence, is_stale
from recommender.usage import quality

DAY_S = 86_400
MINUTES_A_DAY = 1440


def evidence(**overrides) -> ItemEvidence:
    """Return a complete record of a week, a sample a minute."""
    known = {
        "points": 7 * MINUTES_A_DAY,
        "span_s": 7 * DAY_S,
        "step_s": 60,
        "last_sample_age_s": 30.0,
    }
    return ItemEvidence(**known | overrides)


def graded(value=1.0, **overrides):
    return confidence(value, evidence(**overrides), has_recommendation=True)


def test_a_complete_record_lacks_nothing():
    assert graded() == confidence(1.0, evidence(), has_recommendation=True)
    assert (graded().grade, graded().missing) == ("A", ())


def test_stale_samples_are_below_b_and_say_their_age():
    stale = graded(last_sample_age_s=52 * 60.0)

    assert (stale.grade, stale.value) == ("C", 0.49)
    assert stale.missing == ("the last sample is 52 min old",)


@given(st.floats(0, 1), st.floats(0, 1e6), st.integers(1, 3600))
def test_no_stale_record_is_graded_as_one_on_which_a_request_may_fall(value, age_s, step_s):
    found = graded(value, last_sample_age_s=age_s, step_s=step_s)

    assert found.value <= round(value, 4)
    if is_stale(evidence(last_sample_age_s=age_s, step_s=step_s)):
        assert found.grade in {"C", "D"}


@given(st.integers(0, 20_000), st.integers(1, 3600))
def test_the_report_calls_stale_what_the_decision_does(age_s, step_s):
    of_decision = quality.is_stale(np.array([-age_s]), np.array([step_s]), 0)

    assert is_stale(evidence(last_sample_age_s=age_s, step_s=step_s)) == bool(of_decision[0])


def test_without_a_recommendation_there_is_nothing_to_trust():
    nothing = confidence(1.0, evidence(), has_recommendation=False)

    assert (nothing.grade, nothing.value) == ("D", 0.0)


@pytest.mark.parametrize("lacking_s", [60, 900])
def test_a_span_that_reads_like_the_whole_is_not_missing(lacking_s):
    span_s = 2 * DAY_S - lacking_s

    assert graded(span_s=span_s, points=span_s // 60 + 1).missing == ()


def test_a_short_span_is_missing():
    assert graded(span_s=13 * 3600, points=13 * 60 + 1).missing == ("13 h of 2 d of history",)


def test_gaps_are_missing():
    assert graded(span_s=2 * DAY_S, points=MINUTES_A_DAY).missing == (
        "50 % of the expected samples",
    )


def test_a_workload_that_is_off_half_the_time_lacks_nothing_once_two_days_are_known():
    assert graded(points=3 * MINUTES_A_DAY).missing == ()


def test_samples_five_minutes_apart_are_all_that_is_expected():
    assert graded(points=7 * 288, step_s=300, last_sample_age_s=800.0).missing == ()
