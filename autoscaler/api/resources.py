"""Amounts of GPU resources, per worker and GPU device."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from autoscaler.api.scalars import Percent, Quantity, quantity_of, rule
from autoscaler.api.shape import Shape

AMOUNTS = ("tflops", "vram", "compute")


def _at_most(lower: str, upper: str, amount: str) -> dict[str, str]:
    """Return the rule that one amount of ``lower`` does not exceed that of ``upper``."""
    low, high = f"self.{lower}.{amount}", f"self.{upper}.{amount}"
    absent = " || ".join(f"!has({path})" for path in (f"self.{lower}", low, f"self.{upper}", high))
    unread = " || ".join(f"!isQuantity(string({path}))" for path in (low, high))
    return rule(
        f"{absent} || {unread} || !{quantity_of(high)}.isLessThan({quantity_of(low)})",
        f"{lower}.{amount} is above {upper}.{amount}",
        messageExpression=f"'{lower}.{amount} (' + string({low}) + ') is above "
        f"{upper}.{amount} (' + string({high}) + ')'",
    )


def at_most(lower: str, upper: str, amounts: tuple[str, ...] = AMOUNTS) -> list[dict[str, str]]:
    """Return the rules of an object whose field ``lower`` must not exceed its field ``upper``."""
    return [_at_most(lower, upper, amount) for amount in amounts]


def with_rules(*rules: dict[str, str]) -> ConfigDict:
    """Return the configuration of a model that the API server checks by these rules."""
    extra: dict[str, Any] = {"x-kubernetes-validations": list(rules)}
    return ConfigDict(json_schema_extra=extra)


class GPUAmounts(Shape):
    """What GPUs have, or what workers have together."""

    tflops: Quantity | None = None
    """FP16 TFLOPS."""
    vram: Quantity | None = None
    """VRAM in bytes."""


class Amounts(Shape):
    """Amounts per worker and GPU device; what is not stated is absent, never zero."""

    model_config = with_rules(
        rule(
            "!has(self.tflops) || !has(self.compute)",
            "tflops and compute exclude each other: state one of the two",
        )
    )

    tflops: Quantity | None = None
    """FP16 TFLOPS."""
    vram: Quantity | None = None
    """VRAM in bytes."""
    compute: Percent | None = None
    """Percent of one GPU's compute, 0 to 100, in place of tflops."""


class Resources(Shape):
    """Requests and limits, per worker and GPU device."""

    model_config = with_rules(*at_most("requests", "limits"))

    requests: Amounts | None = None
    """What a worker is sure to get; where one is not stated, the limit counts."""
    limits: Amounts | None = None
    """The most that a worker may use."""
