"""One ``requests`` or ``limits`` mapping of the API as exact amounts.

The same three keys stand in annotations, profiles, pool rules, cron rules and the workloads file,
so that their check stands here once.  Amounts are per worker and GPU device.  How two mappings
relate (request ≤ limit) and where a value came from belong to the policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Context, Decimal

from recommender.errors import ContractError, InvalidValueError, Problem
from recommender.quantities import format_quantity, parse_quantity
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

_FIELDS = {
    TFLOPS.api_name: "tflops",
    COMPUTE_PERCENT.api_name: "compute_percent",
    VRAM.api_name: "vram_bytes",
}
_ALLOWED_KEYS = ", ".join(str(key) for key in _FIELDS)
_ROUNDED = Context(prec=28, rounding=ROUND_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceAmounts:
    """What one mapping states; None means that it does not state the resource, never zero."""

    tflops: Decimal | None = None
    compute_percent: Decimal | None = None
    """Share of one GPU's compute, 0 to 100; the alternative to ``tflops``."""
    vram_bytes: Decimal | None = None

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, object], path: str
    ) -> tuple[ResourceAmounts, tuple[Problem, ...]]:
        """Read ``{"tflops": …, "compute": …, "vram": …}`` found at ``path``.

        Values are Kubernetes quantities; null counts as not stated, as in the Kubernetes API.
        Every problem is reported, each with its own path; a value with a problem is left out, and
        where TFLOPS and percent exclude each other, both are.  Nothing is raised for user input.
        """
        if not isinstance(mapping, Mapping):
            message = (
                f"must be a mapping with the keys {_ALLOWED_KEYS}, not a {type(mapping).__name__}"
            )
            return cls(), (Problem(path, message),)
        problems: list[Problem] = []
        amounts: dict[str, Decimal] = {}
        for key, value in mapping.items():
            if key not in _FIELDS:
                problems.append(
                    Problem(f"{path}.{key}", f"unknown key; allowed keys: {_ALLOWED_KEYS}")
                )
            elif value is not None:
                amount = _checked(key, value, f"{path}.{key}", problems)
                if amount is not None:
                    amounts[_FIELDS[key]] = amount
        if "tflops" in amounts and "compute_percent" in amounts:
            problems.append(
                Problem(path, "tflops and compute are mutually exclusive: state one of the two")
            )
            del amounts["tflops"], amounts["compute_percent"]
        return cls(**amounts), tuple(problems)

    def to_mapping(self) -> dict[str, str]:
        """Return the mapping as the API carries it: canonical quantities, stated keys only."""
        return {
            str(resource.api_name): format_quantity(
                amount, "binary" if resource is VRAM else "decimal"
            )
            for resource, amount in (
                (TFLOPS, self.tflops),
                (COMPUTE_PERCENT, self.compute_percent),
                (VRAM, self.vram_bytes),
            )
            if amount is not None
        }

    def base_units(self) -> dict[str, float]:
        """Return the stated amounts by resource name: TFLOPS, percent (0 to 100) and bytes."""
        return {
            resource.name: float(amount)
            for resource, amount in (
                (TFLOPS, self.tflops),
                (COMPUTE_PERCENT, self.compute_percent),
                (VRAM, self.vram_bytes),
            )
            if amount is not None
        }

    def in_tflops(self, peak_tflops: Decimal) -> ResourceAmounts:
        """Return the same amounts with percent turned into TFLOPS of a card with that peak."""
        if self.compute_percent is None:
            return self
        tflops = tflops_of_percent(self.compute_percent, peak_tflops)
        return ResourceAmounts(tflops=tflops, vram_bytes=self.vram_bytes)

    def in_percent(self, peak_tflops: Decimal) -> ResourceAmounts:
        """Return the same amounts with TFLOPS turned into percent of a card with that peak.

        More TFLOPS than the card has are more than 100 percent: it is the caller's to cap.
        """
        if self.tflops is None:
            return self
        percent = percent_of_tflops(self.tflops, peak_tflops)
        return ResourceAmounts(compute_percent=percent, vram_bytes=self.vram_bytes)


def tflops_of_percent(compute_percent: Decimal, peak_tflops: Decimal) -> Decimal:
    """Return ``percent / 100 * peak``; ``ContractError`` unless the peak is positive."""
    return _ROUNDED.divide(_ROUNDED.multiply(compute_percent, _positive(peak_tflops)), Decimal(100))


def percent_of_tflops(tflops: Decimal, peak_tflops: Decimal) -> Decimal:
    """Return ``tflops / peak * 100``, its 28th digit rounded up; the inverse of the above."""
    return _ROUNDED.divide(_ROUNDED.multiply(tflops, Decimal(100)), _positive(peak_tflops))


def _checked(key: str, value: object, path: str, problems: list[Problem]) -> Decimal | None:
    """Return the amount, or note what is wrong with it."""
    try:
        amount = parse_quantity(value, path)  # type: ignore[arg-type]
    except InvalidValueError as error:
        problems.append(Problem(path, f"{value!r} is not valid; allowed: {error.allowed}"))
        return None
    if amount < 0:
        problems.append(Problem(path, f"{value!r} is negative; allowed: 0 or more"))
        return None
    if key == COMPUTE_PERCENT.api_name and amount > 100:
        message = f"{value!r} is too large; allowed: 0 to 100 (percent of one GPU)"
        problems.append(Problem(path, message))
        return None
    return amount


def _positive(peak_tflops: Decimal) -> Decimal:
    if not (peak_tflops.is_finite() and peak_tflops > 0):
        raise ContractError(f"a peak must be finite and above 0 TFLOPS, not {peak_tflops}")
    return peak_tflops
