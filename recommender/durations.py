"""Durations as users write them: Go's syntax plus days and weeks.

Go's ``time.ParseDuration`` is the syntax of the Kubernetes API.  Days (24 h) and weeks (7 d) are
added for reading, and are never written: whatever reads Go's syntax can read what is written here.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from recommender.errors import ContractError, InvalidValueError

ALLOWED_DURATION = (
    "a number with a unit, such as 90s, 5m, 1h30m, 2d or 1w; units are ns, us, ms, s, m, h, d and w"
)

_NS_PER_UNIT = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek mu
    "ms": 1_000_000,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3_600 * 10**9,
    "d": 86_400 * 10**9,
    "w": 604_800 * 10**9,
}
_LARGEST_NS = 2**63 - 1
_PART = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w)"
_PARTS = re.compile(_PART)
_GRAMMAR = re.compile(rf"([+-]?)((?:{_PART})+)")


def parse_duration_s(value: str | float, field: str = "duration") -> float:
    """Return the seconds that a duration in Go's syntax (plus ``d`` and ``w``) states.

    Parts add up in any order (``1h30m``), may have a fraction (``1.5h``), and one sign stands in
    front of all.  Digits below 1 ns are dropped, as Go does.  Zero needs no unit; any other number
    does, also one that YAML has made an int or a float: 30 could mean seconds or minutes.

    Raises ``InvalidValueError`` with the name ``field`` for anything else, and beyond 2^63 - 1 ns
    (about 292 years), where Go ends too.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value == 0:
        return 0.0
    if not isinstance(value, str):
        raise InvalidValueError(field, value, ALLOWED_DURATION)
    if value in {"0", "+0", "-0"}:
        return 0.0
    match = _GRAMMAR.fullmatch(value)
    if match is None:
        raise InvalidValueError(field, value, ALLOWED_DURATION)
    total_ns = sum(
        math.floor(Fraction(_with_digits(number)) * _NS_PER_UNIT[unit])
        for number, unit in _PARTS.findall(match.group(2))
    )
    if total_ns > _LARGEST_NS:
        raise InvalidValueError(field, value, f"{ALLOWED_DURATION}; at most 292 years")
    seconds = total_ns / 10**9
    return -seconds if match.group(1) == "-" and total_ns else seconds


def format_duration(seconds: float) -> str:
    """Return a duration exactly as Go's ``Duration.String`` does, rounded to whole nanoseconds.

    From one second on it is hours, minutes and seconds without leading zero units (``1h30m0s``,
    ``1.5s``); below, one unit of ``ms``, ``µs`` or ``ns`` (``100ms``); zero is ``0s``.
    Raises ``ContractError`` where the number is not finite or beyond 2^63 - 1 ns.
    """
    if not math.isfinite(seconds):
        raise ContractError(f"a duration must be finite, not {seconds}")
    total_ns = round(Fraction(seconds) * 10**9)
    if abs(total_ns) > _LARGEST_NS:
        raise ContractError(f"a duration must be at most 292 years, not {seconds} s")
    sign, rest_ns = ("-" if total_ns < 0 else ""), abs(total_ns)
    if rest_ns == 0:
        return "0s"
    if rest_ns < 10**9:
        unit = next(unit for unit in ("ms", "\u00b5s", "ns") if rest_ns >= _NS_PER_UNIT[unit])
        return f"{sign}{_decimal(rest_ns, _NS_PER_UNIT[unit])}{unit}"
    minutes, below_minute_ns = divmod(rest_ns, _NS_PER_UNIT["m"])
    hours, minutes_of_hour = divmod(minutes, 60)
    text = f"{_decimal(below_minute_ns, 10**9)}s"
    if minutes:
        text = f"{minutes_of_hour}m{text}"
    if hours:
        text = f"{hours}h{text}"
    return sign + text


def _with_digits(number: str) -> str:
    """Spell ``1.`` and ``.5``, which Go accepts, as ``Fraction`` reads them."""
    whole, _, fraction = number.partition(".")
    return f"{whole or '0'}.{fraction or '0'}"


def _decimal(amount: int, unit: int) -> str:
    """Return ``amount / unit`` in the fewest digits; ``unit`` is a power of ten."""
    whole, rest = divmod(amount, unit)
    if rest == 0:
        return str(whole)
    places = len(str(unit)) - 1
    return f"{whole}.{rest:0{places}d}".rstrip("0")
