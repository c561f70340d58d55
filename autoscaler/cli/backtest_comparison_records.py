"""Two policies on the same usage as records: a JSON document, or rows of CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from autoscaler.cli.backtest_pairs import Pair, Pairs, better_of, not_compared
from autoscaler.cli.backtest_rows import ScoreRow
from autoscaler.cli.score_table import replayed
from recommender.backtest.comparison import Better, Comparison, Mover

if TYPE_CHECKING:
    from autoscaler.cli.backtest_policies import ComparedPolicy

SCHEMA = "tensorfusion-backtest-comparison/v1"
MOST_MOVERS = 5
KEY = ("layer", "resource", "namespace", "workload", "unit")
VALUES = tuple(field.name for field in fields(ScoreRow) if field.name not in KEY)
COLUMNS = (
    *KEY,
    *(f"{side}_{name}" for side in ("first", "second") for name in VALUES),
    "better",
    "better_by_ratio",
)
"""Of CSV."""


def document(
    comparison: Comparison,
    policies: Sequence[ComparedPolicy],
    every: Pairs,
    pairs: Sequence[Pair],
    currency: str,
) -> dict[str, object]:
    """Return a comparison for JSON; ``pairs`` are the rows to show of ``every`` one."""
    names = comparison.first.name, comparison.second.name
    gaining, losing = comparison.movers(MOST_MOVERS)
    keys = comparison.first.workloads
    return {
        "schema": SCHEMA,
        **replayed(comparison.first, currency),
        "notes": notes_of(comparison),
        "policies": [{"name": each.name, "meaning": each.meaning} for each in policies],
        **_named(comparison.overall(), names),
        "not_compared": not_compared(comparison, every),
        "scores": [_nested(pair, names) for pair in pairs],
        "gaining": [_mover(mover, comparison, keys) for mover in gaining],
        "losing": [_mover(mover, comparison, keys) for mover in losing],
    }


def notes_of(comparison: Comparison) -> list[str]:
    """Return the notes of both sides, each with the name of its own."""
    sides = (comparison.first, comparison.second)
    return [f"{side.name}: {note}" for side in sides for note in side.notes]


def flat(pair: Pair, names: tuple[str, str]) -> dict[str, object]:
    """Return both sides of a row for CSV."""
    nested = _nested(pair, names)
    record = {name: nested[name] for name in (*KEY, "better", "better_by_ratio")}
    for side, row in zip(("first", "second"), pair, strict=True):
        record |= {f"{side}_{name}": getattr(row, name) for name in VALUES}
    return record


def _nested(pair: Pair, names: tuple[str, str]) -> dict[str, object]:
    first, second = (asdict(row) for row in pair)
    return {
        **{name: first[name] for name in KEY},
        "first": {name: first[name] for name in VALUES},
        "second": {name: second[name] for name in VALUES},
        "difference": {
            name: None if None in (first[name], second[name]) else second[name] - first[name]
            for name in VALUES
            if name != "is_cost_estimated"
        },
        **_named(better_of(pair), names),
    }


def _named(found: Better | None, names: tuple[str, str]) -> dict[str, object]:
    if found is None:
        return {"better": None, "better_by_ratio": None}
    which = None if found.which is None else names[found.which]
    return {"better": which, "better_by_ratio": found.by_ratio}


def _mover(
    mover: Mover, comparison: Comparison, keys: Sequence[tuple[str, str]]
) -> dict[str, object]:
    namespace, workload = keys[mover.row]
    return {
        "namespace": namespace,
        "workload": workload,
        "loss_change_share": mover.share,
        "most_in": {
            "layer": mover.layer.name.lower(),
            "resource": comparison.resource_name(mover.layer, mover.resource),
        },
    }
