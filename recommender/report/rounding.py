"""Numbers of a report without the noise of arithmetic."""

from __future__ import annotations

import math

_AMOUNT_DIGITS = 9
_WHOLE_FROM = 1e7
"""Numbers from here on are bytes in practice, and whole."""


def rounded(value: float, digits: int = 5) -> float | None:
    """Return a number with ``digits`` significant digits; None for NaN and infinity."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def stated_amount(value: float) -> float | None:
    """Return an amount exactly as it is; None for NaN, infinity and what is not above zero."""
    return float(value) if math.isfinite(value) and value > 0 else None


def computed_amount(value: float) -> float | None:
    """Return an amount to 9 digits or whole bytes, fine enough that no comparison changes.

    None for NaN, infinity and anything that is not above zero.
    """
    if not (math.isfinite(value) and value > 0):
        return None
    return float(round(value)) if value >= _WHOLE_FROM else rounded(value, _AMOUNT_DIGITS)
