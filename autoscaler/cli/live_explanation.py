"""One workload of a running autoscaler in words: what is in force, why, and what was changed.

The items are explained as those of any report; what only the running process knows stands around.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from autoscaler.cli.explanation import INDENT, explanation
from recommender.report.wording import amount_text, resource_of, utc
from recommender.sentences import amount, counted, transition

if TYPE_CHECKING:
    from autoscaler.scaling.page.answers import (
        Decided,
        DecisionStep,
        InForce,
        Tried,
        WorkloadAnswer,
    )

DECISIONS_SHOWN = 5
CHANGES_SHOWN = 20


def live_explanation(answer: WorkloadAnswer) -> str:
    """Return everything that a running autoscaler says of a workload, as text."""
    head, body = _report(answer)
    parts = [
        [*head, *_state(answer)],
        *(list(_in_force(part)) for part in answer.in_force),
        body,
        _section("changes", _changes(answer.changes), "none so far"),
        _section("last decisions", _decisions(answer.decisions), "none so far"),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _report(answer: WorkloadAnswer) -> tuple[list[str], list[str]]:
    """Return the head of a workload, and its items; their history follows with all its steps."""
    report = answer.report
    if report is None or not report.items:
        name = f"{answer.namespace}/{answer.workload}"
        return [name], ["no report of it yet: ask again in a moment"]
    items = [replace(item, history=()) for item in report.items]
    head, _, body = explanation(items, report.meta).partition("\n\n")
    return head.splitlines(), body.splitlines()


def _state(answer: WorkloadAnswer) -> Iterator[str]:
    yield f"{INDENT}live, mode {answer.mode}, as of {utc(answer.as_of_s)}"
    yield from (f"{INDENT}only raises pass: {hold}" for hold in answer.holds)


def _section(title: str, lines: Iterator[str], otherwise: str) -> list[str]:
    return [title, *(f"{INDENT}{line}" for line in list(lines) or [otherwise])]


def _in_force(part: InForce) -> Iterator[str]:
    yield "in force" + (f" on {part.gpu_model}" if part.gpu_model else "")
    for name in dict.fromkeys([*part.request, *part.limit]):
        yield (
            f"{INDENT}{name}: request {amount_text(name, part.request.get(name))}"
            f"{_stated(name, part.request, part.stated_request)}"
            f", limit {amount_text(name, part.limit.get(name))}"
            f"{_stated(name, part.limit, part.stated_limit)}"
        )
    for side, values in (("request", part.start_request), ("limit", part.start_limit)):
        for name, value in values.items():
            yield f"{INDENT}{name}: {side} {amount_text(name, value)} for workers that start"
    yield f"{INDENT}{counted(part.workers, 'worker')}, {part.ready_workers} known to be ready"
    if part.replicas is not None:
        stated = ""
        if part.stated_replicas not in {None, part.replicas}:
            stated = f" (stated: {part.stated_replicas})"
        yield f"{INDENT}replicas {part.replicas}{stated}"
    if part.replicas_held:
        yield f"{INDENT}replicas are not set: {part.replicas_held}"
    if part.is_paused:
        yield f"{INDENT}paused"


def _stated(name: str, values: Mapping[str, float], stated: Mapping[str, float]) -> str:
    if name not in stated or values.get(name) == stated[name]:
        return ""
    return f" (stated: {amount_text(name, stated[name])})"


def _changes(changes: Sequence[Tried]) -> Iterator[str]:
    for change in changes[:CHANGES_SHOWN]:
        moved = transition(change.before, change.after, resource_of(change.resource))
        yield (
            f"{utc(change.time_s)} {change.layer}, {change.resource}: {moved}, "
            f"{change.outcome}; {change.reason}"
        )
        yield from _numbered(change.steps)
    if len(changes) > CHANGES_SHOWN:
        yield f"and {len(changes) - CHANGES_SHOWN} older ones"


def _decisions(decisions: Sequence[Decided]) -> Iterator[str]:
    for decided in decisions[:DECISIONS_SHOWN]:
        yield utc(decided.time_s) + (f" on {decided.gpu_model}" if decided.gpu_model else "")
        yield from (f"  {line}" for line in _amounts(decided))
        for (layer, resource), steps in groupby(
            decided.steps, key=lambda step: (step.layer, step.resource)
        ):
            yield f"  {layer}" + (f", {resource}" if resource != layer else "")
            yield from (f"  {line}" for line in _numbered(list(steps)))


def _amounts(decided: Decided) -> Iterator[str]:
    for side, target, following in (
        ("request", decided.target_request, decided.next_request),
        ("limit", decided.target_limit, decided.next_limit),
    ):
        for name in dict.fromkeys([*target, *following]):
            resource = resource_of(name)
            now = amount(following.get(name), resource)
            right = f", target {amount(target[name], resource)}" if name in target else ""
            yield f"{name}: {side} {now}{right}"
    if decided.next_replicas is not None:
        right = "" if decided.target_replicas is None else f", target {decided.target_replicas}"
        yield f"replicas: {decided.next_replicas}{right}"


def _numbered(steps: Sequence[DecisionStep]) -> Iterator[str]:
    yield from (f"  {i}. {step.sentence}" for i, step in enumerate(steps, start=1))
