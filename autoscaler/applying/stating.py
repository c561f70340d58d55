"""Where one wanted number is stated, and what is written there.  Pure.

A number is written where it stands today: in the annotations of the pod template, or in the profile
that the template names.  What nobody states yet goes beside its neighbour, else into the template.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from autoscaler.api.names import PREFIX
from autoscaler.applying.live_workload import LiveWorkload, NotWritableError
from autoscaler.applying.rows import Side
from autoscaler.applying.wanted import Sample, Wanted
from recommender.amounts import percent_of_tflops, tflops_of_percent
from recommender.gpu_models import find_gpu_model
from recommender.policy.fields import AMOUNTS, Statement
from recommender.policy.stated import Stated
from recommender.quantities import format_bytes_quantity, format_tflops
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

COMPUTE = frozenset({TFLOPS.name, COMPUTE_PERCENT.name})
LARGEST_AMOUNT = 2.0**53
"""From there on, not every number is exact; nobody has so much."""
SAME_RATIO = 1e-3
"""Amounts that differ by less are the same: one may have come through a metric."""
_MILLI = Decimal("0.001")
_BY_PLACE: Mapping[tuple[str, Side], Statement] = {
    (statement.resource, side): statement
    for statement in AMOUNTS
    for side in Side
    if statement.key.endswith(side)
}


class Place(StrEnum):
    """Where a number is stated."""

    TEMPLATE = "template"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToState:
    """One number in the unit and at the place in which it is stated."""

    wanted: Wanted
    statement: Statement
    place: Place
    amount: float
    """In the unit of the statement: TFLOPS, percent or bytes."""
    before: str
    """Quantity that counts now; empty: none."""
    now: float | None
    """The same as an amount."""

    @property
    def after(self) -> str:
        """Return the quantity that is written."""
        return quantity(self.statement.resource, self.amount)

    @property
    def is_so(self) -> bool:
        """Whether the same is stated already, however it is spelt."""
        resource = self.statement.resource
        return self.now is not None and quantity(resource, self.now) == self.after


def to_state(wanted: Wanted, live: LiveWorkload, *, is_template_only: bool) -> ToState:
    """Return where and as what a number is stated.

    Raises ``NotWritableError`` where its unit cannot be told, or nobody can have so much.
    """
    for sample in wanted.samples:
        _require_amounts(sample)
    stated = live.resolved().stated
    resource = wanted.number.resource
    if resource in COMPUTE:
        resource = compute_unit(stated) or resource
    side = wanted.number.side
    assert side is not None, "only sized numbers are wanted"
    statement = _BY_PLACE[resource, side]
    place = Place.TEMPLATE if is_template_only else _place(statement, stated, live.profile_name)
    amount = max(
        _in_unit(sample.recommended, sample, wanted, resource) for sample in wanted.samples
    )
    now = live.amount_now(statement.key)
    return ToState(
        wanted=wanted,
        statement=statement,
        place=place,
        amount=min(amount, 100.0) if resource == COMPUTE_PERCENT.name else amount,
        before="" if now is None else stated.quantities.get(statement.key, quantity(resource, now)),
        now=now,
    )


def change_since(state: ToState) -> str:
    """Return in which way the number is no longer what the report saw; empty: it is the same."""
    resource = state.statement.resource
    if not all(sample.is_stated for sample in state.wanted.samples):
        # What was in force is not what was stated, so that the two say nothing of one another.
        return ""
    seen = [
        _in_unit(sample.current, sample, state.wanted, resource)
        for sample in state.wanted.samples
        if sample.current is not None
    ]
    then = max(seen, default=None)
    if then is None and state.now is None:
        return ""
    if then is not None and state.now is not None:
        if math.isclose(then, state.now, rel_tol=SAME_RATIO):
            return ""
        return f"the report saw {quantity(resource, then)}, and {state.before} is stated now"
    if then is None:
        return f"the report saw none, and {state.before} is stated now"
    return f"the report saw {quantity(resource, then)}, and none is stated now"


def compute_unit(stated: Stated) -> str | None:
    """Return the resource in which compute is stated; None: it is not stated."""
    for resource in (TFLOPS.name, COMPUTE_PERCENT.name):
        if resource in stated.request or resource in stated.limit:
            return resource
    return None


def quantity(resource: str, amount: float) -> str:
    """Write an amount as a Kubernetes quantity: steps of 1 MiB, else of a thousandth."""
    return format_bytes_quantity(amount) if resource == VRAM.name else format_tflops(amount)


def annotation_of(statement: Statement) -> str:
    """Return the annotation that states a number."""
    return f"{PREFIX}{statement.annotations[0]}"


def profile_path(statement: Statement) -> tuple[str, ...]:
    """Return the path of a number in a WorkloadProfile."""
    return ("spec", *statement.profile.split("."))


def _require_amounts(sample: Sample) -> None:
    """Refuse what no report of ours holds: a report is a file that anybody may have written."""
    if not 0 < sample.recommended < LARGEST_AMOUNT:
        raise NotWritableError(
            f"the report recommends {sample.recommended:g}, which nobody can have; allowed: above "
            "0, below 2^53"
        )
    if sample.current is not None and not 0 <= sample.current < LARGEST_AMOUNT:
        raise NotWritableError(
            f"the report saw {sample.current:g}, which nobody can have; allowed: from 0, below 2^53"
        )


def _place(statement: Statement, stated: Stated, profile_name: str) -> Place:
    other = Side.LIMIT if statement.key.endswith(Side.REQUEST) else Side.REQUEST
    neighbour = _BY_PLACE[statement.resource, other]
    for key in (statement.key, neighbour.key):
        source = stated.sources.get(key)
        if source is not None:
            return Place.PROFILE if source == f"profile {profile_name}" else Place.TEMPLATE
    return Place.TEMPLATE


def _in_unit(amount: float, sample: Sample, wanted: Wanted, resource: str) -> float:
    """Return an amount of the report in the unit in which the workload states it."""
    if resource == wanted.number.resource:
        return amount
    model = find_gpu_model(sample.gpu_model) if sample.gpu_model else None
    if model is None:
        raise NotWritableError(
            f"compute is stated in {_unit(resource)} and recommended in "
            f"{_unit(wanted.number.resource)}, and the peak of its GPU "
            f"({sample.gpu_model or 'of an unknown model'}) is not known"
        )
    peak = Decimal(str(model.fp16_tflops))
    exact = Decimal(str(amount))
    if resource == COMPUTE_PERCENT.name:
        return float(percent_of_tflops(exact, peak).quantize(_MILLI, ROUND_CEILING))
    return float(tflops_of_percent(exact, peak))


def _unit(resource: str) -> str:
    return "percent" if resource == COMPUTE_PERCENT.name else "TFLOPS"
