"""Which numbers of a report ask to be stated.  Pure.

Whether they may be written is seen in the cluster (``planning``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from autoscaler.applying.rows import Number, Outcome, Row, Side
from recommender.report.blocks import CurrentSize, RecommendedSize, Severity
from recommender.report.items import AUTOSCALER
from recommender.report.model import REPLICAS
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

if TYPE_CHECKING:
    from recommender.report.model import Item, Report

STATED = (TFLOPS.name, COMPUTE_PERCENT.name, VRAM.name)
"""Resources that a workload can state."""
ASKS = frozenset({Severity.CRITICAL, Severity.WARNING, Severity.SAVING, Severity.UNSET})
"""Verdicts that ask for values to be stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the report says of one number for the workers on one model of GPU."""

    gpu_model: str
    """Empty: not known."""
    recommended: float
    current: float | None
    """What was in force; None: nothing."""
    is_stated: bool
    """Whether what was in force is what was stated, as far as the report knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One number that the report asks to be stated."""

    number: Number
    owner: str | None
    """``Kind/name``, as the report has it."""
    samples: tuple[Sample, ...]
    """One for each model of GPU, of which the highest amount is stated: a template has only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """The numbers of a report, by what is to become of them."""

    wanted: tuple[Wanted, ...]
    others: tuple[Row, ...]
    unchanged: int


def sorted_numbers(report: Report) -> Sorted:
    """Return which numbers are wanted, and why the others are not."""
    wanted: list[Wanted] = []
    others: list[Row] = []
    unchanged = 0
    for (_, _, resource), group in groupby(sorted(report.items, key=_key), key=_key):
        items = list(group)
        if resource == REPLICAS or resource not in STATED:
            others += _unstatable(items)
        elif any(item.severity is Severity.UNKNOWN for item in items):
            others.append(_unknown(items))
        elif not any(item.severity in ASKS for item in items):
            unchanged += 1
        else:
            wanted += _sides(items)
    return Sorted(wanted=tuple(wanted), others=tuple(others), unchanged=unchanged)


def _key(item: Item) -> tuple[str, str, str]:
    return item.identity.namespace, item.identity.workload, item.resource


def _number(items: Sequence[Item], side: Side | None = None) -> Number:
    namespace, workload, resource = _key(items[0])
    return Number(namespace=namespace, workload=workload, resource=resource, side=side)


def _unstatable(items: Sequence[Item]) -> Iterator[Row]:
    """Yield a row for what asks for a change that no annotation states."""
    if not any(item.severity in ASKS for item in items):
        return
    reason = "no annotation or field states it"
    if items[0].resource == REPLICAS:
        reason = "replicas are the owner's own number: kubectl scale sets them"
    yield Row(number=_number(items), outcome=Outcome.SKIPPED, reason=reason)


def _unknown(items: Sequence[Item]) -> Row:
    item = next(item for item in items if item.severity is Severity.UNKNOWN)
    return Row(
        number=_number(items),
        outcome=Outcome.SKIPPED,
        reason=f"nothing is recommended: {item.verdict.sentence}",
    )


def _sides(items: Sequence[Item]) -> Iterator[Wanted]:
    for side in Side:
        samples = tuple(_sample(item, side) for item in items)
        known = tuple(sample for sample in samples if sample is not None)
        # Where one model of GPU has no number, the highest of the others may be too low for it.
        if known and len(known) == len(samples):
            owner = next((item.identity.owner for item in items if item.identity.owner), None)
            yield Wanted(number=_number(items, side), owner=owner, samples=known)


def _sample(item: Item, side: Side) -> Sample | None:
    assert isinstance(item.current, CurrentSize)
    assert isinstance(item.recommended, RecommendedSize)
    recommended = getattr(item.recommended, side)
    if recommended is None:
        return None
    return Sample(
        gpu_model=item.identity.gpu_model or "",
        recommended=recommended,
        current=getattr(item.current, side),
        is_stated=item.current.sources.get(side) != AUTOSCALER,
    )
