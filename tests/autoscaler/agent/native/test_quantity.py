"""Quantities in the limiter's environment mean what they mean in Kubernetes."""

from __future__ import annotations

import ctypes
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.quantities import parse_quantity
from tests.autoscaler.agent.native.built import NATIVE, built_library

LARGEST = (1 << 64) - 1
SUFFIXES = ["", *"numkMGTPE", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-3", "e+2", "e0"]


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return ctypes.CDLL(str(built_library([NATIVE / "quantity.c"])))


def _parsed(library: ctypes.CDLL, text: str, scale: int) -> int | None:
    value = ctypes.c_uint64()
    library.tf_parse_quantity.restype = ctypes.c_bool
    is_one = library.tf_parse_quantity(text.encode(), ctypes.c_uint64(scale), ctypes.byref(value))
    return value.value if is_one else None


@given(
    whole=st.integers(0, 10**9),
    fraction=st.text("0123456789", max_size=9),
    suffix=st.sampled_from(SUFFIXES),
    scale=st.sampled_from([1, 1000]),
)
def test_a_quantity_is_what_the_controller_reads_rounded_up(
    library: ctypes.CDLL, whole: int, fraction: str, suffix: str, scale: int
) -> None:
    text = f"{whole}.{fraction}{suffix}" if fraction else f"{whole}{suffix}"
    stated = parse_quantity(text)
    parsed = _parsed(library, text, scale)
    if stated < Decimal(2**63 - 1):
        assert min(math.ceil(stated * scale), LARGEST) == parsed
    else:
        assert parsed is not None
        assert parsed >= 2**63 - 1


@pytest.mark.parametrize(
    ("text", "scale", "value"),
    [
        ("1500m", 1000, 1500),
        ("16Gi", 1, 16 * 2**30),
        ("1e3", 1, 1000),
        ("12E", 1, 12 * 10**18),
        ("12E1", 1, 120),
        (".5", 1000, 500),
        ("5.", 1, 5),
        ("1n", 1, 1),
        ("0", 1, 0),
        ("99Ei", 1, LARGEST),
        ("1e999999999", 1, LARGEST),
        ("1e-999999999", 1, 1),
    ],
)
def test_forms_of_a_quantity(library: ctypes.CDLL, text: str, scale: int, value: int) -> None:
    assert value == _parsed(library, text, scale)


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "+1", "1 ", "1K", "1ki", "1GB", "e3", ".", "1e", "1e+", "1.2.3", "m", "1Gii",
     "0x10", "nan", "9" * 20],
)  # fmt: skip
def test_what_is_no_quantity_is_refused(library: ctypes.CDLL, text: str) -> None:
    assert _parsed(library, text, 1) is None


@given(text=st.binary(max_size=40).filter(lambda text: b"\0" not in text))
def test_no_text_makes_the_parser_fail(library: ctypes.CDLL, text: bytes) -> None:
    value = ctypes.c_uint64()
    library.tf_parse_quantity.restype = ctypes.c_bool
    library.tf_parse_quantity(text, ctypes.c_uint64(1000), ctypes.byref(value))
