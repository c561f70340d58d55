"""Amounts and steps as text for people.

A decision keeps its reasons as numbers (``recommender.decision``); this is the only place that
turns them into sentences, so a report, a condition, an event and a log line say the same thing.
Kubernetes spelling of amounts, which machines read, is in ``quantities``.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from recommender.resources import COMPUTE_PERCENT, VRAM

if TYPE_CHECKING:
    from recommender.decision import Step
    from recommender.resources import Resource

NOTHING = "none"
"""Text of a missing amount."""
_BINARY_UNITS = (("TiB", 2.0**40), ("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10))
_DURATION_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))
_MOST_DIGITS = 7


def amount(value: float | None, resource: Resource | None, digits: int = 3) -> str:
    """Return an amount with its unit, for example ``4.5 GiB``.

    ``value`` is in base units (TFLOPS, percent, bytes, the resource's own unit); ``resource`` None
    means replicas, which have no unit.  ``digits`` are significant; digits before the decimal
    point are never dropped.  None and NaN give ``none``.
    """
    number_text, unit = amount_parts(value, resource, digits)
    return f"{number_text} {unit}".rstrip()


def amount_parts(
    value: float | None, resource: Resource | None, digits: int = 3
) -> tuple[str, str]:
    """Return the number and the unit of :func:`amount` apart, for tables that align them."""
    if value is None or math.isnan(value):
        return NOTHING, ""
    if resource is None:
        return number(value, max(digits, 2)), ""
    if resource.name == VRAM.name:
        unit, size = _binary_unit(value)
        return number(value / size, digits), unit
    if resource.name == COMPUTE_PERCENT.name:
        return number(value, digits), "%"
    return number(value, digits), resource.unit


def transition(before: float | None, after: float | None, resource: Resource | None) -> str:
    """Return ``12 -> 4.5 TFLOPS``: the unit once where both have the same, digits that differ."""
    before_text, after_text = _distinct(before, after, resource)
    before_number, _, before_unit = before_text.partition(" ")
    unit = after_text.partition(" ")[2]
    return f"{before_number if before_unit == unit else before_text} -> {after_text}"


def number(value: float, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits, without exponent or trailing zeros."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """Return a share (0 to 1) as percent, for example ``12 %`` or, signed, ``-62 %``."""
    if share is None or math.isnan(share):
        return NOTHING
    value = 100 * share
    text = f"{value:.0f}" if abs(value) >= 10 ** (digits - 1) else number(value, digits)
    if text in {"-0", "0"}:
        return "0 %"
    return f"{'+' if signed and value > 0 else ''}{text} %"


def duration(seconds: float) -> str:
    """Return a duration rounded to its two largest units, such as ``2 d 3 h``; ``0 s`` for none."""
    rest, parts = float(round(seconds)), []
    for (_, size), (_, smaller) in pairwise(_DURATION_UNITS):
        if rest >= size:
            rest = round(rest / smaller) * smaller
            break
    for name, size in _DURATION_UNITS:
        count = math.floor(rest / size)
        if count > 0:
            parts.append(f"{count} {name}")
            rest -= count * size
        if len(parts) == 2 or (parts and count == 0):
            break
    return " ".join(parts) or "0 s"


def counted(count: int, noun: str) -> str:
    """Return ``1 workload`` or ``2 workloads``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def sentence(step: Step, resource: Resource | None) -> str:
    """Return one step as a sentence in the unit of its resource (None: replicas)."""
    before, after = _distinct(step.before, step.after, resource)
    return step.code.template.format(
        before=before,
        after=after,
        transition=transition(step.before, step.after, resource),
        instead=f"{after} for now, in place of {before}",
        arg=_Argument(step.arg),
    )


class _Argument:
    """The extra number of a template, formatted by the kind that the template names."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __format__(self, kind: str) -> str:
        if math.isnan(self._value):
            return NOTHING
        if kind == "level":
            return number(100 * self._value, 4)
        if kind == "percent":
            return percent(self._value)
        if kind == "ratio":
            return number(self._value)
        if kind == "count":
            return f"{self._value:.0f}"
        if kind == "duration":
            return duration(self._value)
        raise ValueError(f"unknown kind of argument in a sentence template: {kind!r}")


def _distinct(
    before: float | None, after: float | None, resource: Resource | None
) -> tuple[str, str]:
    """Format two amounts with as many digits as it takes to see that they differ."""
    for digits in range(3, _MOST_DIGITS):
        texts = amount(before, resource, digits), amount(after, resource, digits)
        if texts[0] != texts[1] or before == after:
            return texts
    return texts


def _binary_unit(value: float) -> tuple[str, float]:
    for name, size in _BINARY_UNITS:
        if abs(value) >= size:
            return name, size
    return "B", 1.0
