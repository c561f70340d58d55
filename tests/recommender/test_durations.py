import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.durations import format_duration, parse_duration_s
from recommender.errors import ContractError, InvalidValueError
from tests.strategies import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("-0", 0.0),
        ("0s", 0.0),
        (0, 0.0),
        (0.0, 0.0),
        ("90s", 90.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("30m1h", 5400.0),
        ("1m1m", 120.0),
        ("100ms", 0.1),
        ("1us", 1e-6),
        ("1µs", 1e-6),  # micro sign
        ("1μs", 1e-6),  # Greek mu
        ("1ns", 1e-9),
        ("0.9ns", 0.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("+2m", 120.0),
        ("-1h15m", -4500.0),
        ("1d", 86400.0),
        ("2w", 1209600.0),
        ("1w2d3h", 788400.0),
        ("72h3m0.5s", 259380.5),
    ],
)
def test_a_duration_states_its_seconds(text, seconds):
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    "value",
    ["", " ", "30", "1.5", "h", ".s", "+", "1 h", "1h 30m", " 1h", "1h\n", "1y", "1H", "1h-3m",
     "1e3s", "one hour", "1m30", "٣s", 30, 1.5, -1, True, False, None, float("nan"), [1]],
)  # fmt: skip
def test_anything_else_is_refused_and_the_units_are_named(value):
    with pytest.raises(InvalidValueError) as caught:
        parse_duration_s(value, "evaluationPeriod")
    assert caught.value.field == "evaluationPeriod"
    assert "ns, us, ms, s, m, h, d and w" in caught.value.allowed


def test_more_than_go_can_hold_is_refused():
    assert parse_duration_s("9223372036854775807ns") == 9223372036.854776
    with pytest.raises(InvalidValueError, match="292 years"):
        parse_duration_s("9223372036854775808ns")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (1e-9, "1ns"),
        (1.1e-6, "1.1µs"),
        (2.2e-3, "2.2ms"),
        (0.1, "100ms"),
        (1.0, "1s"),
        (1.5, "1.5s"),
        (3.3, "3.3s"),
        (60.0, "1m0s"),
        (245.0, "4m5s"),
        (245.001, "4m5.001s"),
        (3600.0, "1h0m0s"),
        (5400.0, "1h30m0s"),
        (18367.001, "5h6m7.001s"),
        (259380.5, "72h3m0.5s"),
        (-90.0, "-1m30s"),
        (4e-10, "0s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e10])
def test_what_go_cannot_hold_is_never_written(seconds):
    with pytest.raises(ContractError):
        format_duration(seconds)


@given(st.integers(-(10**15), 10**15))
def test_every_nanosecond_survives_writing_and_reading(total_ns):
    seconds = total_ns / 10**9
    assert parse_duration_s(format_duration(seconds)) == seconds


@given(st.integers(-9_000_000_000, 9_000_000_000))
def test_every_second_of_292_years_survives_writing_and_reading(seconds):
    assert parse_duration_s(format_duration(seconds)) == seconds


@given(durations())
def test_writing_is_canonical_so_that_writing_again_changes_nothing(text):
    once = format_duration(parse_duration_s(text))
    assert format_duration(parse_duration_s(once)) == once


@given(durations(), durations())
def test_parts_add_up(left, right):
    together = left.lstrip("+-") + right.lstrip("+-")
    parts = [parse_duration_s(text.lstrip("+-")) for text in (left, right)]
    assert parse_duration_s(together) == pytest.approx(sum(parts), rel=1e-12, abs=1e-12)


@given(durations())
def test_a_minus_sign_negates_the_whole(text):
    bare = text.lstrip("+-")
    assert parse_duration_s("-" + bare) == -parse_duration_s(bare)
