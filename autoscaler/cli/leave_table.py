"""What ``tfa leave`` did and what stays, as text in columns or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from autoscaler.printable import printable
from autoscaler.workloads.leaving.leaving import Taken
from autoscaler.workloads.leaving.remaining import Remaining

SCHEMA = "tensorfusion-leave/v1"


def render_json(taken: Sequence[Taken], stays: Sequence[Remaining]) -> str:
    """Return the result for machines, with every name."""
    document = {
        "schema": SCHEMA,
        "steps": [
            {
                "action": str(each.step.action),
                "kind": each.step.resource.kind,
                "namespace": each.step.namespace,
                "name": each.step.name,
                "outcome": str(each.outcome),
                "message": each.message,
            }
            for each in taken
        ],
        "stays": [{"what": each.what, "names": list(each.names)} for each in stays],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def render_table(taken: Sequence[Taken], stays: Sequence[Remaining]) -> str:
    """Return one line for each step, and one for each kind of what stays."""
    steps = [
        (
            str(each.step.action),
            each.step.resource.kind,
            each.step.subject,
            f"{each.outcome}: {each.message}" if each.message else str(each.outcome),
        )
        for each in taken
    ]
    kinds = [(each.what, str(len(each.names))) for each in stays]
    lines = [
        *_columns([("ACTION", "KIND", "OBJECT", "OUTCOME"), *steps] if steps else []),
        *([""] if steps else ["Nothing to do.", ""]),
        *_columns([("STAYS", "COUNT"), *kinds]),
    ]
    return "\n".join(lines) + "\n"


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    shown = [[printable(cell, " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
