"""Numbers that may be written, and what the next pod would meet with them.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.applying.live_workload import LiveWorkload
from autoscaler.applying.rows import Outcome, Row
from autoscaler.applying.stating import COMPUTE, ToState, annotation_of, quantity
from recommender.policy.resolve import Resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One number of one workload, and the workload as it stands."""

    state: ToState
    live: LiveWorkload


def highest(placed: Sequence[Placed]) -> list[tuple[ToState, str]]:
    """Return each statement once, with the highest amount that is wanted for it."""
    states: dict[str, ToState] = {}
    for each in placed:
        key = each.state.statement.key
        if key not in states or states[key].amount < each.state.amount:
            states[key] = each.state
    return [(state, quantity(state.statement.resource, state.amount)) for state in states.values()]


def annotations_of(placed: Sequence[Placed]) -> dict[str, str]:
    """Return the annotations that state these numbers."""
    return {annotation_of(state.statement): text for state, text in highest(placed)}


def by_dimension(placed: Sequence[Placed]) -> list[list[Placed]]:
    """Return compute and VRAM apart: what is wrong with one says nothing of the other."""
    groups: dict[bool, list[Placed]] = {}
    for each in placed:
        groups.setdefault(each.state.statement.resource in COMPUTE, []).append(each)
    return list(groups.values())


def problem_after(before: Resolved, after: Resolved) -> str:
    """Return why pods would be refused after a change and are not now; empty: they would not."""
    known = {str(problem) for problem in before.errors}
    new = [problem for problem in after.errors if str(problem) not in known]
    return f"pods would be refused: {new[0].path}: {new[0].message}" if new else ""


def planned_row(placed: Placed) -> Row:
    """Return the row of a number that is to be written."""
    state = placed.state
    return Row(
        number=state.wanted.number,
        outcome=Outcome.PLANNED,
        before=state.before,
        after=state.after,
    )


def refused_row(placed: Placed, reason: str) -> Row:
    """Return the row of a number that must not be written."""
    state = placed.state
    return Row(
        number=state.wanted.number,
        outcome=Outcome.REFUSED,
        before=state.before,
        after=state.after,
        reason=reason,
    )
