"""What ``tfa apply`` did, or would do, as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autoscaler.applying.rows import ObjectChange, Outcome, Plan, Row
from autoscaler.applying.writing import Done
from autoscaler.cli.apply import DryRun
from autoscaler.printable import printable
from autoscaler.sources.timestamps import iso
from recommender.report.model import Meta
from recommender.sentences import counted

SCHEMA = "tensorfusion-apply/v1"
NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All that is shown at the end."""

    cluster: str
    dry_run: DryRun
    report: Meta
    plan: Plan
    done: Sequence[Done]


def question(changes: Sequence[ObjectChange]) -> str:
    """Return what a person agrees to: every field, and what follows."""
    pods = sum(change.pods for change in changes)
    lines = [
        *(line for change in changes for line in _change_lines(change)),
        f"{counted(len(changes), 'object')} would be written"
        + (f", and {counted(pods, 'pod')} made anew." if pods else "."),
    ]
    return "".join(f"{printable(line, ' ')}\n" for line in lines)


def render_table(result: Result) -> str:
    """Return the objects with their changes, then what is not written and why."""
    lines: list[str] = []
    for done in result.done:
        lines += _change_lines(done.change, _outcome(done))
    if result.plan.others:
        lines += [*([""] if lines else []), "Not written:"]
        lines += [f"  {_row_text(row)}" for row in result.plan.others]
    lines += [*([""] if lines else []), summary(result)]
    return "".join(f"{printable(line, ' ')}\n" for line in lines)


def summary(result: Result) -> str:
    """Return one line on everything."""
    objects = {
        outcome: count
        for outcome in Outcome
        if (count := sum(done.outcome is outcome for done in result.done))
    }
    rows = {
        outcome: count
        for outcome in Outcome
        if (count := sum(row.outcome is outcome for row in result.plan.others))
    }
    parts = [f"{counted(count, 'object')} {outcome}" for outcome, count in objects.items()]
    parts += [f"{counted(count, 'number')} {outcome}" for outcome, count in rows.items()]
    if result.plan.unchanged:
        verb = "needs" if result.plan.unchanged == 1 else "need"
        parts.append(f"{counted(result.plan.unchanged, 'number')} {verb} no change")
    ending = "" if result.dry_run is DryRun.NONE else f" (dry run: {result.dry_run})"
    return (", ".join(parts) or "nothing to write") + ending


def render_json(result: Result) -> str:
    """Return the result for machines."""
    document = {
        "schema": SCHEMA,
        "cluster": result.cluster,
        "dryRun": str(result.dry_run),
        "report": {
            "generated": iso(result.report.generated_s),
            "source": result.report.source,
        },
        "objects": [_object(done) for done in result.done],
        "notWritten": [_row(row) for row in result.plan.others],
        "unchanged": result.plan.unchanged,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _change_lines(change: ObjectChange, outcome: str = "") -> Iterator[str]:
    ending = f" ({outcome})" if outcome else ""
    yield f"{change.title}: {change.consequence}{ending}"
    for field in change.fields:
        if field.before is not None:
            yield f"  - {field.name}: {field.before}"
        yield f"  + {field.name}: {field.after}"
    for note in change.notes:
        yield f"  ! {note}"


def _outcome(done: Done) -> str:
    return f"{done.outcome}: {done.message}" if done.message else str(done.outcome)


def _row_text(row: Row) -> str:
    number = row.number
    what = f"{number.resource} {number.side}" if number.side else number.resource
    change = f" {row.before or NONE} -> {row.after}" if row.after else ""
    return f"{number.name} {what}{change}: {row.outcome}, {row.reason}"


def _object(done: Done) -> dict[str, Any]:
    change = done.change
    return {
        "apiVersion": change.resource.api_version,
        "kind": change.resource.kind,
        "namespace": change.namespace,
        "name": change.name,
        "consequence": change.consequence,
        "pods": change.pods,
        "notes": list(change.notes),
        "fields": [
            {"field": field.name, "before": field.before, "after": field.after}
            for field in change.fields
        ],
        "numbers": [_row(replace(row, outcome=done.outcome)) for row in change.rows],
        "outcome": str(done.outcome),
        "message": done.message,
        "resourceVersion": done.version or None,
    }


def _row(row: Row) -> dict[str, Any]:
    number = row.number
    return {
        "namespace": number.namespace,
        "workload": number.workload,
        "resource": number.resource,
        "side": None if number.side is None else str(number.side),
        "before": row.before or None,
        "after": row.after or None,
        "outcome": str(row.outcome),
        "reason": row.reason,
    }
