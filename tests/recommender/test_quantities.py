from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity as reference_parse_quantity

from recommender.errors import ContractError, InvalidValueError
from recommender.quantities import (
    LARGEST_QUANTITY,
    format_bytes_quantity,
    format_quantity,
    format_tflops,
    parse_quantity,
)
from tests.strategies import quantities, quantity_values

FAMILIES = ("decimal", "binary", "exponent")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("12", "12"),
        ("+12", "12"),
        ("007", "7"),
        (".5", "0.5"),
        ("1.", "1"),
        ("1.G", "1000000000"),
        ("1500m", "1.5"),
        ("3u", "0.000003"),
        ("7n", "0.000000007"),
        ("2k", "2000"),
        ("1E", "1000000000000000000"),
        ("1E3", "1000"),
        ("1e3", "1000"),
        ("1e+3", "1000"),
        ("25E-1", "2.5"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("0.1Ki", "102.4"),
        ("-2Mi", "-2097152"),
    ],
)
def test_a_quantity_states_exactly_the_number_of_the_kubernetes_grammar(text, expected):
    assert parse_quantity(text) == Decimal(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, "12"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (np.float64(2.5), "2.5"),
        (Decimal("1E+3"), "1000"),
    ],
)
def test_a_number_counts_as_its_shortest_decimal_spelling(value, expected):
    assert parse_quantity(value) == Decimal(expected)


@pytest.mark.parametrize(
    "value",
    [
        "", " ", ".", "+", "-", "--1", "1 Gi", " 1", "1 ", "1\n", "1GB", "1K", "1ki", "1mi", "1e",
        "1e1.5", "1Ei3", "1,5", "0x10", "1_000", "nan", "NaN", "inf", "Infinity", "1i", "٣", "five",
        None, True, False, float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity"),
        [1], {"a": 1}, b"1",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_the_field_the_value_and_what_is_allowed(value):
    with pytest.raises(InvalidValueError) as caught:
        parse_quantity(value, "spec.resources.limits.vram")
    assert caught.value.field == "spec.resources.limits.vram"
    assert caught.value.value is value
    assert "16Gi" in caught.value.allowed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1n", "1n"),
        ("1.0000000001", "1000000001n"),
        ("-0.1n", "-1n"),
        ("1e-999999999999999999999", "1n"),
        ("-1e-400", "-1n"),
    ],
)
def test_digits_below_one_nano_are_rounded_away_from_zero(text, expected):
    assert format_quantity(parse_quantity(text)) == expected


@pytest.mark.parametrize("text", ["8Ei", "9.3E", "1e19", "1e999999999999999999999"])
def test_a_magnitude_above_two_to_the_63_is_capped(text):
    assert parse_quantity(text) == LARGEST_QUANTITY
    assert parse_quantity(f"-{text}") == -LARGEST_QUANTITY


def test_an_integer_may_have_more_digits_than_python_prints():
    assert parse_quantity(10**5000) == LARGEST_QUANTITY


def test_digits_and_exponent_may_cancel_out_however_long_they_are():
    assert parse_quantity("0." + "0" * 5000 + "1e5001") == 1
    assert parse_quantity("1" + "0" * 5000 + "e-5000") == 1
    assert parse_quantity("0e999999999999") == 0


@pytest.mark.parametrize(
    ("value", "family", "expected"),
    [
        ("0", "decimal", "0"),
        ("1.5", "decimal", "1500m"),
        ("12", "decimal", "12"),
        ("12000", "decimal", "12k"),
        ("12500", "decimal", "12500"),
        ("0.000000001", "decimal", "1n"),
        ("3E+18", "decimal", "3E"),
        ("1073741824", "binary", "1Gi"),
        ("1610612736", "binary", "1536Mi"),
        ("1023", "binary", "1023"),
        ("1000", "binary", "1k"),
        ("1025", "binary", "1025"),
        ("1024.5", "binary", "1024500m"),
        ("-2048", "binary", "-2Ki"),
        ("12000000", "exponent", "12e6"),
        ("1.5", "exponent", "1500e-3"),
        ("12", "exponent", "12"),
    ],
)
def test_the_canonical_form_has_no_fraction_and_the_largest_suffix(value, family, expected):
    assert format_quantity(Decimal(value), family) == expected


def test_a_number_that_is_not_finite_has_no_canonical_form():
    for value in ("NaN", "Infinity"):
        with pytest.raises(ContractError):
            format_quantity(Decimal(value))


@given(quantity_values(), st.sampled_from(FAMILIES))
def test_reading_what_was_written_gives_the_same_number(value, family):
    assert parse_quantity(format_quantity(value, family)) == value


@given(quantities(), st.sampled_from(FAMILIES))
def test_writing_is_canonical_so_that_writing_again_changes_nothing(text, family):
    once = format_quantity(parse_quantity(text), family)
    assert format_quantity(parse_quantity(once), family) == once


@given(st.text() | st.text("0123456789.+-eEinumkKMG ", max_size=12))
def test_whatever_a_user_writes_is_a_finite_number_or_refused(text):
    try:
        amount = parse_quantity(text)
    except InvalidValueError:
        return
    assert abs(amount) <= LARGEST_QUANTITY


@given(quantities(), quantities())
def test_order_is_preserved(left, right):
    exact_left, exact_right = (reference_parse_quantity(_plain(text)) for text in (left, right))
    if exact_left <= exact_right:
        assert parse_quantity(left) <= parse_quantity(right)
    else:
        assert parse_quantity(left) >= parse_quantity(right)


@given(quantities())
def test_the_kubernetes_client_reads_the_same_number(text):
    expected = reference_parse_quantity(_plain(text))
    actual = parse_quantity(text)
    if abs(expected) >= LARGEST_QUANTITY:
        assert actual == LARGEST_QUANTITY.copy_sign(expected)
    else:
        difference = (actual - expected).copy_sign(1)
        assert difference <= Decimal("1e-9")
        assert abs(actual) >= abs(expected)


def _plain(text):
    """Spell an exponent as the Kubernetes client reads it: ``1E5`` is not five exa there."""
    return Decimal(text) if "e" in text.lower() and text[-1].isdigit() else text


@pytest.mark.parametrize(
    ("tflops", "expected"),
    [
        (0.0, "0"),
        (12.0, "12"),
        (12.5, "12500m"),
        (12.0001, "12001m"),
        (0.1 + 0.2, "300m"),
        (12.000000000000002, "12"),
        (12000.0, "12k"),
        (1e300, str(LARGEST_QUANTITY)),
    ],
)
def test_tflops_are_written_in_steps_of_one_milli_rounded_up(tflops, expected):
    assert format_tflops(tflops) == expected


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (0.0, "0"),
        (1.0, "1Mi"),
        (2.0**30, "1Gi"),
        (2.0**30 + 1, "1025Mi"),
        (2.0**30 + 1e-6, "1Gi"),
        (1.5 * 2**30, "1536Mi"),
        (80.0 * 2**30, "80Gi"),
    ],
)
def test_bytes_are_written_in_whole_mebibytes_rounded_up(n, expected):
    assert format_bytes_quantity(n) == expected


@given(st.floats(0, 1e6))
def test_written_tflops_are_at_least_what_was_asked_and_at_most_one_step_more(tflops):
    written = parse_quantity(format_tflops(tflops))
    assert Decimal("-1e-6") <= written - Decimal(tflops) <= Decimal("1.001e-3")


@given(st.floats(0, 1e15))
def test_written_bytes_are_at_least_what_was_asked_and_at_most_one_step_more(n):
    written = parse_quantity(format_bytes_quantity(n))
    assert Decimal("-0.5") <= written - Decimal(n) <= 2**20


@pytest.mark.parametrize("amount", [-1.0, float("nan"), float("inf")])
def test_a_negative_or_unknown_amount_is_never_written(amount):
    with pytest.raises(ContractError):
        format_tflops(amount)
    with pytest.raises(ContractError):
        format_bytes_quantity(amount)
