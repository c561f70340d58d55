import datetime as dt
from bisect import bisect_right
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.cron import active_rules, check_cron, is_active, window_now
from recommender.errors import InvalidValueError
from recommender.policy.model import CronRule
from tests.strategies import cron_expressions

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"


def at(text, zone="UTC"):
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def rule(start, end, zone="UTC", *, is_enabled=True, problem=None):
    return CronRule(
        name="rule",
        is_enabled=is_enabled,
        start=start,
        end=end,
        time_zone=zone,
        requests={},
        limits={},
        replicas=None,
        problem=problem,
    )


def window(start, end, now_s, zone="UTC"):
    return window_now(rule(start, end, zone), now_s)


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("0 9 * * 1-5", "Europe/Berlin"),
        ("*/15 8-18 * * MON-FRI", "UTC"),
        ("0 0 1,15 jan,jul *", ""),
        ("0 0 ? * 7", "Asia/Tokyo"),
        ("0 0 29 2 *", "UTC"),
        ("0 0 30 2 1", "UTC"),
        ("CRON_TZ=Asia/Tokyo 0 0 * * *", "UTC"),
        ("TZ=Asia/Tokyo 0 0 * * *", "not looked at"),
        ("  0   9 * * *  ", "UTC"),
    ],
)
def test_a_schedule_that_can_be_used_has_no_problem(expression, zone):
    assert check_cron(expression, zone) is None


@pytest.mark.parametrize(
    ("expression", "zone", "problem"),
    [
        ("", "UTC", "five fields"),
        ("0 9 * *", "UTC", "here are 4"),
        ("0 0 9 * * 1", "UTC", "here are 6"),
        ("@daily", "UTC", "five fields"),
        ("60 * * * *", "UTC", "the minute '60' cannot be read; allowed: 0 to 59"),
        ("* 24 * * *", "UTC", "the hour '24'"),
        ("* * 0 * *", "UTC", "the day of month '0'"),
        ("* * * 13 *", "UTC", "the month '13'"),
        ("* * * * 8", "UTC", "the day of week '8'"),
        ("* * * MON *", "UTC", "the month 'MON'"),
        ("*/0 * * * *", "UTC", "step above 0"),
        ("5-1 * * * *", "UTC", "the minute '5-1'"),
        ("5-5/0 * * * *", "UTC", "the minute '5-5/0'"),
        ("5/ * * * *", "UTC", "the minute '5/'"),
        ("1,, * * * *", "UTC", "the minute '1,,'"),
        ("-1 * * * *", "UTC", "the minute '-1'"),
        ("1.5 * * * *", "UTC", "the minute '1.5'"),
        ("0 0 L * *", "UTC", "the day of month 'L'"),
        ("0 0 * * 5#2", "UTC", "the day of week '5#2'"),
        ("0 0 30 2 *", "UTC", "never occurs"),
        ("0 0 31 4,6,9,11 *", "UTC", "never occurs"),
        ("0 9 * * *", "Mars/Olympus", "IANA time zone"),
        ("0 9 * * *", "Europe", "IANA time zone"),
        ("0 9 * * *", "../../etc/passwd", "IANA time zone"),
        ("TZ=Mars/Olympus 0 9 * * *", "UTC", "'Mars/Olympus'"),
        ("9" * 300, "UTC", "at most 256 characters"),
    ],
)
def test_a_schedule_that_cannot_be_used_says_why_and_what_is_allowed(expression, zone, problem):
    assert problem in check_cron(expression, zone)


@given(st.text() | st.text("0123456789*/,-?LW# MONTZ=", max_size=30), st.text(max_size=8))
def test_whatever_a_user_writes_is_usable_or_a_problem(expression, zone):
    if check_cron(expression, zone) is None:
        assert is_active(expression, expression, zone, 0) is False
    else:
        with pytest.raises(InvalidValueError):
            is_active(expression, expression, zone, 0)


def test_a_schedule_that_was_not_checked_raises():
    with pytest.raises(InvalidValueError):
        is_active("0 9 * *", "0 18 * * *", "UTC", 0)


@pytest.mark.parametrize(
    ("time", "active"),
    [
        ("2025-06-03T08:59:59", False),
        ("2025-06-03T09:00:00", True),
        ("2025-06-03T17:59:59", True),
        ("2025-06-03T18:00:00", False),
        ("2025-06-07T12:00:00", False),  # Saturday
    ],
)
def test_a_window_holds_its_start_and_not_its_end(time, active):
    assert is_active("0 9 * * 1-5", "0 18 * * 1-5", BERLIN, at(time, BERLIN)) is active


@pytest.mark.parametrize(
    ("time", "active"),
    [
        ("2025-06-03T21:59", False),
        ("2025-06-03T22:00", True),
        ("2025-06-04T00:00", True),
        ("2025-06-04T05:59", True),
        ("2025-06-04T06:00", False),
    ],
)
def test_a_window_may_run_over_midnight(time, active):
    assert is_active("0 22 * * *", "0 6 * * *", NEW_YORK, at(time, NEW_YORK)) is active


def test_a_window_may_run_over_a_week_end_although_its_start_repeats():
    start, end = "0 9 * * *", "0 18 * * 5"
    assert window(start, end, at("2025-06-10T12:00")) == (
        at("2025-06-07T09:00"),
        at("2025-06-13T18:00"),
    )
    assert window(start, end, at("2025-06-13T18:00")) is None


def test_an_end_without_a_start_opens_nothing():
    assert not is_active("0 9 * * 1", "0 18 * * *", "UTC", at("2025-06-03T10:00"))
    assert is_active("0 9 * * 1", "0 18 * * *", "UTC", at("2025-06-02T10:00"))


@pytest.mark.parametrize("end", ["0 9 * * *", "00 9 ? * *", "0 9 * * 0-6"])
def test_equal_schedules_are_never_active(end):
    for hour in range(48):
        assert not is_active("0 9 * * *", end, "UTC", at("2025-06-03T00:00") + 3600 * hour)


def test_back_to_back_windows_both_open():
    start, end = "0 9,12 * * *", "0 12,18 * * *"
    assert window(start, end, at("2025-06-03T11:59")) == (
        at("2025-06-03T09:00"),
        at("2025-06-03T12:00"),
    )
    assert window(start, end, at("2025-06-03T12:00")) == (
        at("2025-06-03T12:00"),
        at("2025-06-03T18:00"),
    )
    assert window(start, end, at("2025-06-03T18:00")) is None


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 * * 0", ["01", "08", "15"]),  # Sundays of June 2025
        ("0 0 * * 7", ["01", "08", "15"]),
        ("0 0 * * SUN", ["01", "08", "15"]),
        ("0 0 * * 4", ["05", "12"]),  # Thursday, not Friday
        ("0 0 10 * 1", ["02", "09", "10", "16"]),  # the 10th or a Monday
        ("0 0 10 * *", ["10"]),
        ("0 0 */7 * 1", ["01", "02", "08", "09", "15", "16"]),  # a stepped star restricts
        ("0 0 * * 1/3", ["02", "05", "09", "12", "16"]),  # Monday and Thursday, not Sunday
        ("0 0 */1 * 1", ["02", "09", "16"]),
        ("0 0 * * */3", ["01", "04", "07", "08", "11", "14", "15"]),  # 0, 3 and 6
        ("0 0 5-5/2 * *", ["05"]),
        ("0 0 * * WED-3/2", ["04", "11"]),
        ("0 0 9/3 * *", ["09", "12", "15"]),
        ("0 0 ? JUN MON", ["02", "09", "16"]),
    ],
)
def test_days_are_those_of_the_kubernetes_cron_job(expression, days):
    one_hour_later = expression.replace("0 0", "0 1", 1)
    found = [
        f"{day:02d}"
        for day in range(1, 17)
        if is_active(expression, one_hour_later, "UTC", at(f"2025-06-{day:02d}T00:30"))
    ]
    assert found == days


def test_the_zone_decides_and_a_prefix_names_it_instead():
    nine_in_tokyo = at("2025-06-03T09:30", "Asia/Tokyo")
    assert is_active("0 9 * * *", "0 10 * * *", "Asia/Tokyo", nine_in_tokyo)
    assert not is_active("0 9 * * *", "0 10 * * *", "UTC", nine_in_tokyo)
    prefix = "CRON_TZ=Asia/Tokyo "
    assert is_active(f"{prefix}0 9 * * *", f"{prefix}0 10 * * *", "UTC", nine_in_tokyo)
    assert is_active("0 0 * * *", "0 1 * * *", "", nine_in_tokyo)


def test_a_start_that_a_time_change_skips_counts_at_the_end_of_the_gap():
    # In New York the clock went from 02:00 to 03:00 on 2025-03-09.
    end_of_gap = at("2025-03-09T03:00", NEW_YORK)
    opened = window("30 2 * * *", "0 5 * * *", end_of_gap, NEW_YORK)
    assert opened == (end_of_gap, at("2025-03-09T05:00", NEW_YORK))
    assert window("30 2 * * *", "0 5 * * *", end_of_gap - 1, NEW_YORK) is None


def test_an_end_that_a_time_change_skips_counts_at_the_end_of_the_gap():
    end_of_gap = at("2025-03-09T03:00", NEW_YORK)
    opened = window("0 1 * * *", "30 2 * * *", end_of_gap - 1, NEW_YORK)
    assert opened == (at("2025-03-09T01:00", NEW_YORK), end_of_gap)
    assert window("0 1 * * *", "30 2 * * *", end_of_gap, NEW_YORK) is None


@pytest.mark.parametrize("end", ["45 2 * * *", "0 3 * * *"])
def test_a_window_that_a_time_change_skips_whole_never_opens(end):
    for minute in range(-60, 600):
        now_s = at("2025-03-09T03:00", NEW_YORK) + 60 * minute
        assert window("15 2 * * *", end, now_s, NEW_YORK) is None


def test_a_repeated_hour_counts_once_at_its_first_pass():
    # In New York the hour from 01:00 to 02:00 came twice on 2025-11-02.
    first_pass = at("2025-11-02T01:00", NEW_YORK)
    half_past, quarter_to = first_pass + 1800, first_pass + 2700
    assert window("30 1 * * *", "45 1 * * *", half_past, NEW_YORK) == (half_past, quarter_to)
    for second_pass in range(first_pass + 3600, first_pass + 7200, 300):
        assert window("30 1 * * *", "45 1 * * *", second_pass, NEW_YORK) is None


def test_a_window_over_a_repeated_hour_lasts_an_hour_longer():
    opened = window("0 0 * * *", "0 6 * * *", at("2025-11-02T05:59", NEW_YORK), NEW_YORK)
    assert opened == (at("2025-11-02T00:00", NEW_YORK), at("2025-11-02T06:00", NEW_YORK))
    assert opened[1] - opened[0] == 7 * 3600
    for second_pass in range(opened[0] + 2 * 3600, opened[0] + 3 * 3600, 300):
        assert window("0 0 * * *", "0 6 * * *", second_pass, NEW_YORK) == opened


def test_a_window_that_began_in_the_first_pass_is_still_open_in_the_second():
    first_pass = at("2025-11-02T01:00", NEW_YORK)
    expected = (first_pass + 1800, at("2025-11-02T02:30", NEW_YORK))
    for now_s in range(first_pass + 1800, first_pass + 5400 + 1800, 300):
        assert window("30 1 * * *", "30 2 * * *", now_s, NEW_YORK) == expected


def test_only_usable_rules_with_an_open_window_are_active():
    open_rule = rule("0 9 * * *", "0 18 * * *")
    closed = rule("0 19 * * *", "0 20 * * *")
    disabled = rule("0 9 * * *", "0 18 * * *", is_enabled=False)
    faulty = rule("0 9 * *", "0 18 * * *", problem="five fields")
    cron = ((0, closed), (2, open_rule), (2, disabled), (3, faulty), (5, open_rule))
    assert active_rules(cron, at("2025-06-03T12:00")) == [(2, open_rule), (5, open_rule)]
    assert active_rules((), 0) == []


FIRST_MINUTE = at("2024-01-01T00:00") // 60
LAST_MINUTE = at("2025-02-01T00:00") // 60
FIXED_ZONES = {"UTC": 0, "Asia/Kolkata": 330, "America/Phoenix": -420}


def matching_minutes(expression, offset_minutes):
    """All minutes of 13 months that match, by walking over days and their minutes."""
    minute, hour, day, month, weekday = expression.split()
    minutes_of_day = [60 * h + m for h in values(hour, 0, 23) for m in values(minute, 0, 59)]
    days, weekdays = values(day, 1, 31), values(weekday, 0, 6, "SUN MON TUE WED THU FRI SAT")
    months = values(month, 1, 12, "- JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
    found = []
    date = dt.date(2023, 12, 31)
    while date < dt.date(2025, 2, 2):
        on_day, on_weekday = date.day in days, date.isoweekday() % 7 in weekdays
        both = is_star(day) or is_star(weekday)
        if date.month in months and (on_day and on_weekday if both else on_day or on_weekday):
            midnight = (date - dt.date(1970, 1, 1)).days * 1440 - offset_minutes
            found += [midnight + m for m in minutes_of_day]
        date += dt.timedelta(days=1)
    return sorted(found)


def is_star(field):
    return any(term in {"*", "?", "*/1"} for term in field.split(","))


def values(field, low, high, names=""):
    numbers = {name: str(i) for i, name in enumerate(names.split())}
    found = set()
    for term in field.upper().split(","):
        span, _, step = term.partition("/")
        first, _, last = span.partition("-")
        if span in {"*", "?"}:
            first, last = str(low), str(high)
        elif not last:
            last = str(high) if step else first
        first, last = numbers.get(first, first), numbers.get(last, last)
        found.update(range(int(first), int(last) + 1, int(step or 1)))
    return found


def is_active_by_walking(starts, ends, minute):
    """Look at the events around a minute; None where the table does not reach far enough."""
    starts_before, ends_before = bisect_right(starts, minute), bisect_right(ends, minute)
    if 0 in {starts_before, ends_before}:
        return None
    last_start, last_end = starts[starts_before - 1], ends[ends_before - 1]
    if last_start != last_end:
        return last_start > last_end
    if starts_before == len(starts) or ends_before == len(ends):
        return None
    return ends[ends_before] < starts[starts_before]


@settings(max_examples=50, deadline=None)
@given(
    cron_expressions(),
    cron_expressions(),
    st.sampled_from(sorted(FIXED_ZONES)),
    st.lists(st.integers(FIRST_MINUTE, LAST_MINUTE), min_size=5, max_size=5),
)
def test_windows_equal_brute_force_over_a_year(start, end, zone, minutes):
    starts = matching_minutes(start, FIXED_ZONES[zone])
    ends = matching_minutes(end, FIXED_ZONES[zone])
    events = (starts[len(starts) // 2], ends[len(ends) // 2])
    near = [event + shift for event in events for shift in (-1, 0, 1)]
    for minute in minutes + near:
        expected = is_active_by_walking(starts, ends, minute)
        if expected is not None:
            assert is_active(start, end, zone, 60 * minute + 59) is expected


@settings(deadline=None)
@given(cron_expressions(), cron_expressions(), st.integers(1_700_000_000, 1_800_000_000))
def test_a_window_is_the_same_from_its_start_to_just_before_its_end(start, end, now_s):
    opened = window(start, end, now_s, NEW_YORK)
    if opened is not None:
        start_s, end_s = opened
        assert start_s <= now_s < end_s
        for inside_s in (start_s, end_s - 1, (start_s + end_s) // 2):
            assert window(start, end, inside_s, NEW_YORK) == opened
