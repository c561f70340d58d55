"""Kubernetes quantities: text to an exact decimal number, and back in canonical form.

A quantity is never a float on its way in or out, because ``0.1`` and ``100m`` must be equal.  The
grammar, the rounding and the canonical form are those of ``k8s.io/apimachinery/pkg/api/resource``.
What a quantity means (TFLOPS, bytes, percent) is not known here: see ``amounts``.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, ROUND_UP, Context, Decimal, localcontext
from functools import lru_cache
from typing import Literal

from recommender.errors import ContractError, InvalidValueError

SuffixFamily = Literal["decimal", "binary", "exponent"]

LARGEST_QUANTITY = Decimal(2**63 - 1)
"""Larger magnitudes are capped to it, as the Kubernetes API documents for all three forms."""
ALLOWED_QUANTITY = (
    "a Kubernetes quantity such as 500m, 12, 1.5k or 16Gi: a number with one of the suffixes "
    "n u m k M G T P E Ki Mi Gi Ti Pi Ei, or with an exponent such as 2e3; no blanks"
)

_NANO = Decimal("1e-9")
_MICRO = Decimal("1e-6")
_MILLI = Decimal("1e-3")
_MEBI = 1024**2
_DECIMAL_EXPONENTS = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_BINARY_POWERS = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_SUFFIX_OF_EXPONENT = {exponent: suffix for suffix, exponent in _DECIMAL_EXPONENTS.items()}
_SUFFIX_OF_POWER = {power: suffix for suffix, power in _BINARY_POWERS.items()} | {0: ""}
_GRAMMAR = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))"
    r"(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]+))?"
)
_KNOWN = 4096
"""Texts and numbers that are kept, as a cluster states the same few quantities again and again."""
# Far outside of what is left after rounding to 1n and capping at 2^63 - 1, so that an exponent such
# as 1e999999999 costs no digits.
_SMALLEST_ADJUSTED, _LARGEST_ADJUSTED = -30, 30


def parse_quantity(value: str | float | Decimal, field: str = "quantity") -> Decimal:
    """Return the exact number that a Kubernetes quantity states.

    Text follows the grammar of the Kubernetes API; a number from YAML or JSON counts as its
    shortest decimal spelling.  As in Kubernetes, digits below 1n (10^-9) are rounded away from
    zero, so that whoever asks for something gets something, and a magnitude above 2^63 - 1 becomes
    2^63 - 1.  Negative quantities are valid here; whether they make sense is the caller's question.

    Raises ``InvalidValueError`` with the name ``field`` for anything else: an empty text, blanks,
    an unknown suffix such as ``GB`` or ``K``, NaN, infinity, ``None``, ``True``.
    """
    text = _as_text(value)
    amount = None if text is None else _amount_of(text)
    if amount is None:
        raise InvalidValueError(field, value, ALLOWED_QUANTITY)
    return amount


def format_quantity(value: Decimal, suffix_family: SuffixFamily = "decimal") -> str:
    """Return the canonical form of a quantity, as the Kubernetes API server writes it.

    Canonical: no fraction digits, and the largest suffix that leaves an integer before it
    (``1500m``, ``12k``, ``1Gi``).  In the family ``binary``, values below 1024 and values with a
    fraction are written with decimal suffixes, because nothing may be lost.  The value is rounded
    and capped as in ``parse_quantity``.  Raises ``ContractError`` where it is not finite.
    """
    if not value.is_finite():
        raise ContractError(f"a quantity must be finite, not {value}")
    return _canonical(value, suffix_family)


def format_tflops(tflops: float) -> str:
    """Return a TFLOPS amount as a canonical quantity in steps of 1m, rounded up.

    Noise of float arithmetic below 1u is rounded away first, so that 12.000000000000002 is ``12``
    and not ``12001m``.  Raises ``ContractError`` for a negative or not finite amount.
    """
    steadied = _non_negative(tflops).quantize(_MICRO, ROUND_HALF_EVEN, _exact_context(40))
    return format_quantity(steadied.quantize(_MILLI, ROUND_CEILING, _exact_context(40)))


def format_bytes_quantity(n: float) -> str:
    """Return a number of bytes as a canonical binary quantity in steps of 1Mi, rounded up.

    Whole GiB are written as such (``16Gi``).  Noise below one byte is rounded away first.
    Raises ``ContractError`` for a negative or not finite number.
    """
    whole_bytes = int(_non_negative(n).to_integral_value(ROUND_HALF_EVEN))
    return format_quantity(Decimal(-(-whole_bytes // _MEBI) * _MEBI), "binary")


@lru_cache(maxsize=_KNOWN)
def _amount_of(text: str) -> Decimal | None:
    """Return the number that a text states; None where it is no quantity."""
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        return None
    number, suffix, exponent = match.group("number", "suffix", "exponent")
    with localcontext(_exact_context(len(number))):
        amount = Decimal(number)
        if suffix in _BINARY_POWERS:
            amount *= 1024 ** _BINARY_POWERS[suffix]
            shift = 0
        elif exponent is not None:
            shift = _exponent_within_reach(exponent, len(number))
        else:
            shift = _DECIMAL_EXPONENTS[suffix or ""]
        return _rounded_and_capped(amount, shift)


@lru_cache(maxsize=_KNOWN)
def _canonical(value: Decimal, suffix_family: SuffixFamily) -> str:
    with localcontext(_exact_context(len(value.as_tuple().digits))):
        amount = _rounded_and_capped(value, 0)
        if amount == 0:
            return "0"
        is_whole = amount == amount.to_integral_value()
        if suffix_family == "binary" and is_whole and abs(amount) >= 1024:
            mantissa, power = _without_factor(int(amount), 1024, largest_power=6)
            return f"{mantissa}{_SUFFIX_OF_POWER[power]}"
        nanos = int(amount.scaleb(9))
        mantissa, thousands = _without_factor(nanos, 1000, largest_power=9)
        exponent = 3 * thousands - 9
        if suffix_family == "exponent":
            return f"{mantissa}e{exponent}" if exponent else str(mantissa)
        return f"{mantissa}{_SUFFIX_OF_EXPONENT[exponent]}"


def _as_text(value: object) -> str | None:
    """Return the decimal spelling of ``value``; None where it has none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(Decimal(value))  # unlike str(int), without a limit on digits
    if isinstance(value, float):
        # NumPy's floats are floats with another repr.
        return float.__repr__(value) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else None
    return None


def _exact_context(digits: int) -> Context:
    """Return a context in which numbers of so many digits are never rounded."""
    return Context(prec=digits + 60, Emax=999_999_999, Emin=-999_999_999)


def _exponent_within_reach(exponent: str, digits: int) -> int:
    """Return the exponent, kept where it still decides and no further (10^±(digits + 60))."""
    reach = digits + 60
    if len(exponent.lstrip("+-0")) > 9:
        return -reach if exponent.startswith("-") else reach
    return max(-reach, min(reach, int(exponent)))


def _rounded_and_capped(amount: Decimal, shift: int) -> Decimal:
    """Return ``amount * 10**shift``, rounded away from zero to 1n and capped at 2^63 - 1."""
    if amount == 0:
        return Decimal(0)
    if amount.adjusted() + shift > _LARGEST_ADJUSTED:
        return LARGEST_QUANTITY.copy_sign(amount)
    if amount.adjusted() + shift < _SMALLEST_ADJUSTED:
        return _NANO.copy_sign(amount)
    scaled = amount.scaleb(shift)
    if abs(scaled) >= LARGEST_QUANTITY:
        return LARGEST_QUANTITY.copy_sign(amount)
    rounded = scaled.quantize(_NANO, ROUND_UP).normalize()
    # Plain digits rather than 1E+3, for whoever prints the number.
    return Decimal(int(rounded)) if rounded == rounded.to_integral_value() else rounded


def _without_factor(number: int, factor: int, *, largest_power: int) -> tuple[int, int]:
    """Return (mantissa, power) with ``number == mantissa * factor**power``."""
    power = 0
    while power < largest_power and number % factor == 0:
        number //= factor
        power += 1
    return number, power


def _non_negative(amount: float) -> Decimal:
    if not (math.isfinite(amount) and amount >= 0):
        raise ContractError(f"an amount must be finite and not negative, not {amount}")
    return min(Decimal(float.__repr__(float(amount))), LARGEST_QUANTITY)
