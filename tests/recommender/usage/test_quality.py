from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.usage.quality import demand_of, is_saturated, is_stale, is_startup

UNKNOWN = float("nan")


def saturated(value, share, throttled):
    return bool(is_saturated(np.array([value]), np.array([share]), np.array([throttled]))[0])


def demand(value, share, throttled):
    columns = np.array([value]), np.array([share]), np.array([throttled])
    return float(demand_of(*columns, is_saturated(*columns))[0])


@pytest.mark.parametrize(
    ("value", "share", "throttled", "expected"),
    [
        (9.8, 10.0, UNKNOWN, True),
        (9.79, 10.0, UNKNOWN, False),
        (5.0, 10.0, 0.2, True),
        (5.0, 10.0, 0.19, False),
        (5.0, UNKNOWN, 0.2, True),
        (5.0, UNKNOWN, UNKNOWN, False),
        (0.0, 0.0, UNKNOWN, False),
    ],
)
def test_saturated_is_98_percent_of_the_share_or_a_fifth_of_the_time_throttled(
    value, share, throttled, expected
):
    assert saturated(value, share, throttled) is expected


@pytest.mark.parametrize(
    ("value", "share", "throttled", "expected"),
    [
        (5.0, 10.0, UNKNOWN, 5.0),
        (5.0, 10.0, 0.19, 5.0),
        (8.0, 10.0, 0.2, 10.0),
        (8.0, 10.0, 0.5, 12.5),
        (10.0, 10.0, 0.1, pytest.approx(10.0 / 0.9)),
        (10.0, 10.0, UNKNOWN, 12.5),
        (20.0, 10.0, UNKNOWN, 20.0),
        (8.0, 10.0, 1.0, 12.5),
        (8.0, 10.0, 1.7, 12.5),
        (8.0, UNKNOWN, 0.2, 10.0),
        (8.0, UNKNOWN, 1.0, 10.0),
    ],
)
def test_demand_behind_a_sample(value, share, throttled, expected):
    assert demand(value, share, throttled) == expected


@given(
    st.floats(0.0, 1e6),
    st.one_of(st.just(UNKNOWN), st.floats(0.0, 1e6)),
    st.one_of(st.just(UNKNOWN), st.floats(-0.5, 2.0)),
)
def test_demand_is_at_least_the_use_and_at_most_a_quarter_above_the_share(value, share, throttled):
    bound = 1.25 * (value if np.isnan(share) else share)
    assert value <= demand(value, share, throttled) <= max(value, bound)


@pytest.mark.parametrize(
    ("age_s", "step_s", "expected"),
    [(300, 15, False), (301, 15, True), (900, 300, False), (901, 300, True)],
)
def test_stale_after_five_minutes_and_three_steps(age_s, step_s, expected):
    assert is_stale(np.array([1000]), np.array([step_s]), 1000 + age_s).tolist() == [expected]


def startup(ts, *, first=1000, begin=0, started=-1, ready=-1):
    columns = (np.array([x]) for x in (ts, first))
    times = (np.array([x]) for x in (started, ready))
    return bool(is_startup(*columns, begin, *times)[0])


def test_start_up_lasts_until_ready_where_readiness_is_known():
    assert startup(1100, started=990, ready=1200)
    assert not startup(1200, started=990, ready=1200)
    assert startup(4589, started=990)


def test_what_is_more_than_an_hour_after_a_start_is_no_start_up():
    """Readiness that was lost and came back is all that a cluster remembers of it."""
    assert not startup(4590, started=990)
    assert startup(4589, started=990, ready=99_999)
    assert not startup(4590, started=990, ready=99_999)


def test_samples_of_an_earlier_worker_of_the_same_name_are_no_start_up():
    assert not startup(5000, started=9000, ready=9100)
    assert not startup(5000, started=9000)
    assert startup(1299, started=9000, ready=9100)


def test_a_minute_that_a_known_start_falls_into_belongs_to_the_start_up():
    assert startup(8940, started=8999, ready=9100)
    assert not startup(8939, started=8999, ready=9100)


def test_start_up_lasts_five_minutes_where_readiness_is_unknown():
    assert startup(1299)
    assert not startup(1300)


def test_workers_at_the_begin_of_the_record_were_running_already():
    assert not startup(1000, begin=1000)
    assert startup(1001, first=1001, begin=1000)
