"""Finds recorded amounts that cannot be in the unit of their resource.

A wrong unit gives a wrong recommendation that looks right, so such a series is left out whole and
named.  One amount above anything a GPU has is a fault of one sample and goes alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.sources.recorded_usage import RejectedSeries
from recommender.observation import Bools, Floats, Ints
from recommender.resources import COMPUTE_PERCENT, KNOWN_RESOURCES, VRAM

PERCENT_LIMIT = 101.0
"""Rounding may lift a full GPU a little above 100 %."""
TOLERATED_SHARE = 0.01
"""Share of samples above the limit from which on the unit, not the sample, is in doubt."""
LARGEST_MIB = 1e6
"""10^6 MiB is a terabyte: no VRAM in bytes is that small, and none in MiB is larger."""
CERTAINLY_BYTES = 1e7


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongUnit:
    """One series of one resource whose unit is in doubt; indices as given."""

    series: int
    resource: int
    problem: RejectedSeries


def above_any_gpu(
    resource: NDArray[np.int32], value: Floats, names: Sequence[str]
) -> tuple[Bools, str]:
    """Return which values exceed anything one GPU has, and the limits as a text."""
    limit = np.full(len(names), np.inf)
    texts = []
    for i, name in enumerate(names):
        known = KNOWN_RESOURCES.get(name)
        if known is None or known is COMPUTE_PERCENT or known.largest_value is None:
            continue
        limit[i] = known.largest_value
        texts.append(f"{name} at most {known.largest_value:g}")
    return value > limit[resource], ", ".join(texts)


def above_full_gpu(resource: NDArray[np.int32], value: Floats, names: Sequence[str]) -> Bools:
    """Return which percentages are above a full GPU."""
    is_percent = np.array([name == COMPUTE_PERCENT.name for name in names], np.bool_)
    return is_percent[resource] & (value > PERCENT_LIMIT)


def looks_like_ratio(resource: NDArray[np.int32], value: Floats, names: Sequence[str]) -> bool:
    """Return whether all percentages lie between 0 and 1, as shares would."""
    is_percent = np.array([name == COMPUTE_PERCENT.name for name in names], np.bool_)
    highest = value[is_percent[resource]].max(initial=0.0)
    return bool(0 < highest <= 1)


def wrong_units(
    series: NDArray[np.int32],
    resource: NDArray[np.int32],
    value: Floats,
    labels: Sequence[Mapping[str, str]],
    names: Sequence[str],
) -> list[WrongUnit]:
    """Return the series whose unit is in doubt, ordered by series."""
    checks = {COMPUTE_PERCENT.name: _percent_problem, VRAM.name: _bytes_problem}
    found = []
    for i, name in enumerate(names):
        check = checks.get(name)
        if check is None:
            continue
        mask = resource == i
        if not mask.any():
            continue
        order = np.argsort(series[mask], kind="stable")
        ordered, amounts = series[mask][order], value[mask][order]
        starts: Ints = np.flatnonzero(np.diff(ordered, prepend=-1))
        for code, values in zip(ordered[starts], np.split(amounts, starts[1:]), strict=True):
            reason = check(values)
            if reason is not None:
                label = labels[code]
                problem = RejectedSeries(
                    namespace=label["namespace"],
                    workload=label["workload"],
                    resource=name,
                    reason=reason,
                )
                found.append(WrongUnit(series=int(code), resource=i, problem=problem))
    return found


def _percent_problem(values: Floats) -> str | None:
    above = int((values > PERCENT_LIMIT).sum())
    if above <= TOLERATED_SHARE * len(values):
        return None
    return (
        f"{above} of {len(values)} values of tflops_pct are above 100 (largest {values.max():g}): "
        "the units are mixed or this is no percentage of one GPU; give TFLOPS as tflops, "
        "and one row per GPU as 0 to 100"
    )


def _bytes_problem(values: Floats) -> str | None:
    positive = values[values > 0]
    if len(positive) == 0:
        return None
    if positive.max() < LARGEST_MIB:
        return (
            f"the largest value of vram_bytes is {positive.max():g}, which looks like MiB; "
            "give bytes (multiply by 1048576)"
        )
    small = int((positive < LARGEST_MIB).sum())
    if positive.max() >= CERTAINLY_BYTES and small > TOLERATED_SHARE * len(positive):
        return (
            f"{small} of {len(positive)} values of vram_bytes are below 1000000 and others reach "
            f"{positive.max():g}: bytes are mixed with another unit; give bytes throughout"
        )
    return None
