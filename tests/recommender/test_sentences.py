import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.decision import Code, Step
from recommender.resources import COMPUTE_PERCENT, GIB, MIB, TFLOPS, VRAM, resource_named
from recommender.sentences import (
    amount,
    counted,
    duration,
    number,
    percent,
    sentence,
    transition,
)

NAN = float("nan")


@pytest.mark.parametrize("code", Code, ids=lambda code: code.name)
@pytest.mark.parametrize("resource", [TFLOPS, VRAM, COMPUTE_PERCENT, None])
def test_every_code_renders_for_every_resource(code, resource):
    text = sentence(Step(code, 8 * GIB, 16 * GIB, 0.95), resource)

    assert text
    assert "{" not in text
    assert "nan" not in text


@pytest.mark.parametrize("code", Code, ids=lambda code: code.name)
def test_a_code_without_numbers_says_none_and_never_nan(code):
    assert "nan" not in sentence(Step(code, NAN, NAN, NAN), TFLOPS)


def test_a_percentile_step_names_its_level_and_unit():
    assert sentence(Step(Code.Percentile, NAN, 41.24, 0.95), TFLOPS) == (
        "p95 of demand over time is at most 41.2 TFLOPS"
    )
    assert sentence(Step(Code.Percentile, NAN, 41.24, 0.995), TFLOPS) == (
        "p99.5 of demand over time is at most 41.2 TFLOPS"
    )


def test_arguments_are_formatted_by_their_kind():
    assert sentence(Step(Code.LowConfidence, 12.0, NAN, 0.3), TFLOPS) == (
        "confidence 30 % is too low to change 12 TFLOPS"
    )
    assert sentence(Step(Code.CoarseSteps, NAN, 12.0, 300.0), TFLOPS).startswith(
        "samples are 5 min apart"
    )
    assert sentence(Step(Code.MissingMetrics, 4.0, 3.0, 2.0), None) == ("2 without samples: 4 -> 3")
    assert sentence(Step(Code.RaisePace, 35.0, 20.0, 2.0), TFLOPS) == (
        "raised step by step, to at most 2 times what was in force or in use: "
        "20 TFLOPS for now, in place of 35 TFLOPS"
    )


def test_amounts_that_differ_are_shown_with_enough_digits_to_see_it():
    assert sentence(Step(Code.MaxAllowed, 12.0004, 12.0, NAN), TFLOPS) == (
        "maxAllowed: 12.0004 -> 12 TFLOPS"
    )


@pytest.mark.parametrize(
    ("value", "resource", "text"),
    [
        (4.5 * GIB, VRAM, "4.5 GiB"),
        (512 * MIB, VRAM, "512 MiB"),
        (1234.6, TFLOPS, "1235 TFLOPS"),
        (0.1234, TFLOPS, "0.123 TFLOPS"),
        (62.54, COMPUTE_PERCENT, "62.5 %"),
        (3.0, None, "3"),
        (12.5, resource_named("tokens_per_s"), "12.5 tokens_per_s"),
        (None, VRAM, "none"),
        (NAN, VRAM, "none"),
    ],
)
def test_amounts_carry_the_unit_of_their_resource(value, resource, text):
    assert amount(value, resource) == text


def test_a_transition_names_a_common_unit_once():
    assert transition(12.0, 4.5, TFLOPS) == "12 -> 4.5 TFLOPS"
    assert transition(24 * GIB, 512 * MIB, VRAM) == "24 GiB -> 512 MiB"
    assert transition(3, 5, None) == "3 -> 5"


@given(st.floats(1e-3, 1e12))
def test_a_number_is_within_half_a_percent_and_has_no_exponent(value):
    text = number(value)

    assert abs(float(text) - value) <= 0.005 * value
    assert "e" not in text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.123, "12 %"), (0.004, "0.4 %"), (0.0, "0 %"), (2.1, "210 %"), (None, "none")],
)
def test_shares_are_percent(share, text):
    assert percent(share) == text


def test_signed_shares_show_their_direction():
    assert percent(0.1, signed=True) == "+10 %"
    assert percent(-0.62, signed=True) == "-62 %"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (3660, "1 h 1 min"),
        (86_400 * 2 + 10_800, "2 d 3 h"),
        (3 * 86_400 - 60, "3 d"),
        (7170, "2 h"),
        (86_399, "1 d"),
        (86_340, "23 h 59 min"),
    ],
)
def test_durations_show_their_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_counts_agree_with_their_noun():
    assert [counted(count, "worker") for count in (0, 1, 2)] == [
        "0 workers",
        "1 worker",
        "2 workers",
    ]
