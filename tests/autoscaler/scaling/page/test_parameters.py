import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import UsageError
from autoscaler.scaling.page import parameters
from autoscaler.scaling.page.parameters import (
    LONGEST_VALUE,
    MOST_VALUES,
    read_limit,
    read_since_s,
    read_values,
)
from autoscaler.scaling.page.routes import DECISIONS, REPORT, WORKLOAD


def values(route, *pairs):
    return read_values(route.parameters, list(pairs))


def test_values_are_kept_by_name_in_their_order():
    given_ = values(REPORT, ("namespace", "a"), ("severity", "warning"), ("namespace", "b*"))

    assert given_ == {"namespace": ["a", "b*"], "severity": ["warning"]}


@pytest.mark.parametrize(
    ("route", "pairs", "words"),
    [
        (REPORT, [("namspace", "a")], ["'namspace'", "allowed: namespace, workload, pool"]),
        (REPORT, [("severity", "bad")], ["'bad'", "allowed: critical, warning, saving"]),
        (REPORT, [("severity", "WARNING")], ["'WARNING'", "allowed: critical"]),
        (REPORT, [("format", "xml")], ["'xml'", "allowed: json, jsonl"]),
        (REPORT, [("format", "csv"), ("format", "md")], ["format", "allowed: up to 1"]),
        (REPORT, [("namespace", "")], ["namespace", "0 characters", "allowed: 1 to"]),
        (REPORT, [("namespace", "a" * (LONGEST_VALUE + 1))], ["allowed: 1 to 1000"]),
        (REPORT, [("namespace", "a")] * (MOST_VALUES + 1), ["allowed: up to 50"]),
        (DECISIONS, [("severity", "warning")], ["'severity'", "since, limit"]),
        (WORKLOAD, [("namespace", "other")], ["'namespace'", "allowed: no parameter"]),
        (REPORT, [("x" * 5000, "a")], ["'xxx", "..."]),
    ],
)
def test_what_is_not_understood_is_refused_with_what_is_allowed(route, pairs, words):
    with pytest.raises(UsageError) as raised:
        values(route, *pairs)

    assert [word for word in words if word not in str(raised.value)] == []
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.5", "ten", "٣", "1e3"])
def test_a_limit_is_a_whole_number_within_bounds(limit):
    with pytest.raises(UsageError, match="allowed: whole numbers from 1 to 1000"):
        read_limit(values(DECISIONS, ("limit", limit)))


def test_without_a_limit_a_hundred_decisions_are_told():
    assert read_limit({}) == 100


@pytest.mark.parametrize(
    ("text", "since_s"),
    [
        ("1h", 1_000_000 - 3600),
        ("2d", 1_000_000 - 172_800),
        ("999000", 999_000),
        ("1970-01-12T00:00:00Z", 950_400),
    ],
)
def test_a_time_is_a_duration_before_now_or_a_stamp(text, since_s):
    assert read_since_s(values(DECISIONS, ("since", text)), 1_000_000) == since_s


def test_without_a_time_everything_is_told():
    assert read_since_s({}, 1_000_000) == 0


@given(st.text(min_size=1, max_size=40))
def test_any_time_is_read_or_refused_in_words(text):
    given_ = values(DECISIONS, (parameters.SINCE.name, text))
    refusal = ""
    try:
        read_since_s(given_, 1_000_000)
    except UsageError as error:
        refusal = str(error)

    assert refusal == "" or "allowed: a duration such as 1h" in refusal
