"""What the ``total`` of a quota allows, read from the object.

A maximum that cannot be read allows nothing new until it is corrected: what its owner wanted to
bound is not to grow without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.kube.store import Object
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.quota_use import FIELDS, WORKERS
from recommender.amounts import ResourceAmounts

DEFAULT_ALERT_THRESHOLD_PERCENT = 95
_THRESHOLD = "alertThresholdPercent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Maximum:
    """The most of one amount of all workers of a namespace together."""

    field: str
    """One of ``quota_use.FIELDS``."""
    amount: int
    """In millionths of TFLOPS, bytes, or workers; 0 where it cannot be read."""
    problem: str = ""
    """Why it cannot be read; empty: it can."""

    def left(self, used: int) -> int:
        """Return how much may be added to what is in use; nothing where it cannot be read."""
        return 0 if self.problem else max(0, self.amount - used)

    def text(self, amount: int) -> str:
        """Return an amount of this kind as the API carries it."""
        if self.field.endswith("tflops"):
            return GpuAmounts(microtflops=amount).as_mapping()["tflops"]
        if self.field.endswith("vram"):
            return GpuAmounts(vram_bytes=amount).as_mapping()["vram"]
        return str(amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What one quota allows all workers of its namespace together."""

    quota: str
    """Its name."""
    maxima: tuple[Maximum, ...]
    """Those that are stated, in the order of ``quota_use.FIELDS``."""
    alert_threshold_percent: int
    """Use in percent of a maximum from which it is told."""
    problems: tuple[str, ...]
    """All that cannot be read of it."""


def read_total(quota: Object) -> Total:
    """Return what a quota allows; nothing is raised for what cannot be read."""
    total, problem = _mapping((quota.get("spec") or {}).get("total"), "spec.total")
    maxima = tuple(_unread(problem) if problem else _maxima(total))
    threshold, bad_threshold = _threshold(total.get(_THRESHOLD))
    problems = filter(None, (*(each.problem for each in maxima), bad_threshold))
    return Total(
        quota=quota["metadata"]["name"],
        maxima=maxima,
        alert_threshold_percent=threshold,
        problems=tuple(dict.fromkeys(problems)),
    )


def _unread(problem: str, side: str = "") -> Iterator[Maximum]:
    """Yield all maxima, or those of one side, as such that cannot be read."""
    for field in FIELDS:
        if field.startswith(side):
            yield Maximum(field=field, amount=0, problem=problem)


def _maxima(total: Mapping[str, Any]) -> Iterator[Maximum]:
    for side in ("requests", "limits"):
        amounts, problem = _mapping(total.get(side), f"spec.total.{side}")
        if problem:
            yield from _unread(problem, side)
            continue
        for name in ("tflops", "vram"):
            if amounts.get(name) is not None:
                yield _amount(side, name, amounts[name])
    workers = total.get(WORKERS)
    if workers is not None:
        yield _workers(workers)


def _amount(side: str, name: str, value: object) -> Maximum:
    field = f"{side}.{name}"
    read, problems = ResourceAmounts.from_mapping({name: value}, f"spec.total.{side}")
    if problems:
        return Maximum(field=field, amount=0, problem=str(problems[0]))
    amounts = GpuAmounts.capacity_of(read)
    # The one that is not stated is 0.
    return Maximum(field=field, amount=amounts.microtflops or amounts.vram_bytes)


def _workers(value: object) -> Maximum:
    if _is_count(value):
        return Maximum(field=WORKERS, amount=int(str(value)))
    problem = f"spec.total.{WORKERS}: {value!r} is not valid; allowed: a whole number, 0 or more"
    return Maximum(field=WORKERS, amount=0, problem=problem)


def _threshold(value: object) -> tuple[int, str]:
    if value is None:
        return DEFAULT_ALERT_THRESHOLD_PERCENT, ""
    if _is_count(value) and int(str(value)) <= 100:
        return int(str(value)), ""
    return DEFAULT_ALERT_THRESHOLD_PERCENT, (
        f"spec.total.{_THRESHOLD}: {value!r} is not valid; allowed: a whole number from 0 to 100; "
        f"{DEFAULT_ALERT_THRESHOLD_PERCENT} counts until it is corrected"
    )


def _mapping(value: object, path: str) -> tuple[Mapping[str, Any], str]:
    if value is None:
        return {}, ""
    if isinstance(value, Mapping):
        return value, ""
    return {}, f"{path}: must be a mapping, not a {type(value).__name__}"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
