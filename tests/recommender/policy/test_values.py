"""Spellings of single values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import InvalidValueError
from recommender.policy.field import Field, Kind
from recommender.policy.fields import FIELD
from recommender.policy.model import Buffer
from recommender.policy.values import default_text, is_unset, read_value, shown

SHARE = Field(path="share", kind=Kind.SHARE, meaning="A share.", lowest=0, highest=1)
BUFFER = FIELD["autoSetRequests.extraBufferRatio"]


@pytest.mark.parametrize("spelling", [0.95, 95, "95", "95%", "0.95", " 95 % ", 95.0, ".95"])
def test_all_spellings_of_a_share_are_the_same_share(spelling):
    assert read_value(SHARE, spelling, "share") == 0.95


@given(st.integers(min_value=2, max_value=99))
def test_a_share_as_percent_text_number_and_ratio_is_the_same_float(percent):
    spellings = [percent, float(percent), str(percent), f"{percent}%", percent / 100]
    assert {read_value(SHARE, spelling, "share") for spelling in spellings} == {percent / 100}


def test_one_is_the_whole_and_not_one_percent():
    assert read_value(SHARE, 1, "share") == 1.0
    assert read_value(SHARE, "1%", "share") == 0.01


@pytest.mark.parametrize(
    "bad",
    [True, "high", "-5%", -0.1, 101, "1e400", 10**400, float("inf"), "1_0", "٣", [1], {}, "5 % %"],
)
def test_a_wrong_share_is_refused_with_its_path_its_value_and_what_is_allowed(bad):
    with pytest.raises(InvalidValueError) as caught:
        read_value(SHARE, bad, "block.share")
    assert str(caught.value).startswith("block.share: ")
    assert "from 0% to 100%" in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("spelling", "factor"),
    [(0, 1.0), (0.15, 1.15), ("0.15", 1.15), ("15%", 1.15), (1, 1.0), (1.15, 1.15), ("150%", 2.5)],
)
def test_a_buffer_below_one_or_in_percent_adds_and_from_one_on_it_is_a_factor(spelling, factor):
    assert read_value(BUFFER, spelling, "buffer") == Buffer(factor)


def test_a_bare_fifteen_is_refused_as_a_buffer_because_it_would_multiply_by_fifteen():
    with pytest.raises(InvalidValueError, match="a bare 15 would multiply by 15"):
        read_value(BUFFER, 15, "buffer")


@pytest.mark.parametrize("bad", ["120%", 0.5, "x", True, 2000])
def test_a_multiple_is_a_plain_number_in_its_range(bad):
    with pytest.raises(InvalidValueError, match="a plain number from 1 to 1000"):
        read_value(FIELD["autoSetLimits.maxRatioToRequests"], bad, "ratio")


@pytest.mark.parametrize(("spelling", "seconds"), [("1h30m", 5400), ("2d", 172800)])
def test_durations_are_seconds(spelling, seconds):
    assert read_value(FIELD["autoSetRequests.aggregationPeriod"], spelling, "x") == seconds


def test_a_part_of_a_second_counts_as_a_whole_one():
    assert read_value(FIELD["autoSetRequests.evaluationPeriod"], "90.5s", "x") == 91


@pytest.mark.parametrize("bad", [30, "30", "-5m", "1s", "99w", None, "soon"])
def test_a_duration_without_unit_or_out_of_range_names_the_range(bad):
    with pytest.raises(InvalidValueError, match="from 10s to 24h0m0s"):
        read_value(FIELD["autoSetRequests.evaluationPeriod"], bad, "x")


@pytest.mark.parametrize(("spelling", "count"), [(3, 3), ("3", 3), (3.0, 3), ("3.0", 3)])
def test_whole_numbers_may_be_text_or_floats(spelling, count):
    assert read_value(FIELD["autoSetReplicas.minReplicas"], spelling, "x") == count


@pytest.mark.parametrize("bad", [2.5, "2.5", 0, -1, True, "three", "50%"])
def test_fractions_and_numbers_out_of_range_are_no_replica_count(bad):
    with pytest.raises(InvalidValueError, match="a whole number from 1 to 100000"):
        read_value(FIELD["autoSetReplicas.minReplicas"], bad, "x")


@pytest.mark.parametrize(("spelling", "truth"), [(True, True), ("TRUE", True), ("false", False)])
def test_booleans_may_be_text(spelling, truth):
    assert read_value(FIELD["autoSetRequests.enable"], spelling, "x") is truth


@pytest.mark.parametrize("bad", [1, 0, "yes", "on", []])
def test_other_words_are_no_boolean(bad):
    with pytest.raises(InvalidValueError, match="true or false"):
        read_value(FIELD["autoSetRequests.enable"], bad, "x")


@pytest.mark.parametrize(("word", "target"), [("tflops", "compute"), ("VRAM", "vram")])
def test_words_ignore_case_and_have_synonyms(word, target):
    assert read_value(FIELD["autoSetResources.targetResource"], word, "x") == target


@pytest.mark.parametrize(
    "bad", ["ftp://a", "http://", "https://u:p@host", "host/x", 3, "http://[", "http://h:0/"]
)
def test_an_address_needs_http_and_no_password(bad):
    with pytest.raises(InvalidValueError, match="http"):
        read_value(FIELD["externalScaler.url"], bad, "x")


@pytest.mark.parametrize("bad", ["http://a/\x1b[2J", "http://a/\u202eb"])
def test_an_address_can_be_shown(bad):
    with pytest.raises(InvalidValueError, match="http"):
        read_value(FIELD["externalScaler.url"], bad, "x")


@pytest.mark.parametrize("bad", ["a\x1b[2J", "\u202ea", "a\nb"])
def test_a_text_that_cannot_be_shown_is_refused_and_quoted_harmlessly(bad):
    with pytest.raises(InvalidValueError, match="letters that can be printed") as raised:
        read_value(FIELD["cronScalingRules[].name"], bad, "x")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("bad", [0, "-1", "4GB", True, "NaN", None])
def test_a_bound_is_never_zero_negative_or_another_unit(bad):
    with pytest.raises(InvalidValueError, match="a quantity of bytes above 0"):
        read_value(FIELD["autoSetRequests.maxAllowed.vram"], bad, "x")


@pytest.mark.parametrize("blank", [None, "", "  ", float("nan")])
def test_blank_cells_and_null_count_as_not_set(blank):
    assert is_unset(blank)


@pytest.mark.parametrize("value", [0, False, "0", [], {}])
def test_zero_and_false_are_values(value):
    assert not is_unset(value)


def test_long_values_are_quoted_shortly():
    assert len(str(shown("x" * 10_000))) < 100
    assert shown(10**5000) == "a number of 16610 bits"


def test_defaults_are_written_as_users_would():
    names = ["autoSetReplicas.scaleDownCoolDownTime", "autoSetLimits.maxRatioToRequests", "mode"]
    assert [default_text(FIELD[name]) for name in names] == ["5m0s", "5", "apply"]
