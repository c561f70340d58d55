"""Scores of a back-test as a table, Markdown, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from autoscaler.cli.backtest_rows import ScoreRow
from autoscaler.sources.timestamps import iso
from recommender.backtest.comparison import LEVELS, VRAM_LEVEL
from recommender.backtest.plan import Amounts
from recommender.decision import Layer
from recommender.report.textgrid import grid
from recommender.report.wording import money_text
from recommender.sentences import counted, number, percent

if TYPE_CHECKING:
    from autoscaler.cli.backtest import ScoreFormat
    from recommender.backtest.fleet import BacktestResult

SCHEMA = "tensorfusion-backtest/v1"
UNKNOWN = "-"
HEADS = (
    "LAYER",
    "RESOURCE",
    "WORKLOAD",
    "ALLOCATED",
    "USED",
    "SLACK",
    "VIOLATED",
    "MINUTES",
    "VOLUME",
    "CHANGES",
    "COST",
)
EXPLANATION = (
    "ALLOCATED and USED amount x hours, SLACK allocated / used - 1, VIOLATED share of time with "
    "use\nabove the amount, MINUTES the same in minutes of workers (VRAM: refused), VOLUME use "
    "above it\nas a share of use, CHANGES a day and workload; gpu: the share of devices that "
    "workers hold\n"
)


def render_scores(
    result: BacktestResult, rows: Sequence[ScoreRow], output: ScoreFormat, currency: str
) -> str:
    """Return the scores in one format."""
    if output == "json":
        document = {
            "schema": SCHEMA,
            **replayed(result, currency),
            "notes": list(result.notes),
            "scores": [asdict(row) for row in rows],
        }
        return json_text(document)
    if output == "csv":
        return csv_text([field.name for field in fields(ScoreRow)], [asdict(row) for row in rows])
    head = headline(result)
    if not rows:
        return f"{head}\n\n{nothing_to_judge(result)}\n"
    notes = EXPLANATION + unpriced(rows) + lines_of(result.notes)
    return f"{head}\n\n{laid_out(HEADS, [_cells(row, currency) for row in rows], output)}\n{notes}"


def replayed(result: BacktestResult, currency: str) -> dict[str, object]:
    """Return what was replayed, for JSON."""
    plan = result.plan
    return {
        "start_s": result.start_s,
        "end_s": result.end_s,
        "step_s": result.step_s,
        "decision_steps_s": {layer.name.lower(): step_s for layer, step_s in plan.steps_s.items()},
        "delay_s": plan.delay_s,
        "is_closed_loop": plan.is_closed_loop,
        "amounts": plan.amounts,
        "currency": currency,
        "loss_levels": {
            **{layer.name.lower(): LEVELS[layer] for layer in plan.steps_s},
            "vram_bytes": VRAM_LEVEL,
        },
    }


def headline(result: BacktestResult) -> str:
    """Return the time and the kind of a replay as one line."""
    kind = "closed loop" if result.plan.is_closed_loop else "open loop"
    return f"{iso(result.start_s)} to {iso(result.end_s)}, {kind}, {result.plan.amounts} amounts"


def nothing_to_judge(result: BacktestResult, further: Sequence[str] = ()) -> str:
    """Return what a judgement would need, by what was asked for.

    ``further`` are needs beside those of any back-test.
    """
    needs = ["at least 30 min and 12 samples of usage", *further]
    if result.plan.amounts == Amounts.NEXT:
        needs.append("a layer that the workloads file enrols (--amounts next)")
    if Layer.REPLICAS in result.layers:
        needs.append("replicas and a TFLOPS limit in the workloads file (--layer replicas)")
    return f"nothing to judge: no workload has {', and '.join(needs)}"


def unpriced(rows: Iterable[ScoreRow]) -> str:
    """Return a line on workloads that the fleet's cost leaves out; empty where there is none."""
    missing = sum(row.unpriced_workloads or 0 for row in rows if row.workload is None and row.cost)
    return f"COST leaves out {counted(missing, 'workload')} without a price\n" if missing else ""


def lines_of(notes: Iterable[str]) -> str:
    """Return notes as lines."""
    return "".join(f"{note}\n" for note in notes)


def laid_out(heads: Sequence[str], rows: Sequence[Sequence[str]], output: ScoreFormat) -> str:
    """Return cells as a table of text, or of Markdown."""
    if output != "md":
        return grid(heads, rows)
    lines = (heads, ["---"] * len(heads), *rows)
    return "".join(f"| {' | '.join(_escaped(cell) for cell in cells)} |\n" for cells in lines)


def csv_text(names: Sequence[str], records: Sequence[Mapping[str, object]]) -> str:
    """Return records as CSV."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue()


def json_text(document: Mapping[str, object]) -> str:
    """Return a document as JSON."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def plain(value: float | None) -> str:
    """Return a number for a cell."""
    return UNKNOWN if value is None else number(value)


def share(value: float | None) -> str:
    """Return a share as percent, for a cell."""
    return UNKNOWN if value is None else percent(value)


def money(value: float | None, currency: str) -> str:
    """Return an amount of money, for a cell."""
    return UNKNOWN if value is None else f"{money_text(value)} {currency}"


def _cells(row: ScoreRow, currency: str) -> tuple[str, ...]:
    allocated = (
        UNKNOWN if row.allocated_hours is None else f"{plain(row.allocated_hours)} {row.unit}"
    )
    return (
        row.layer,
        row.resource,
        row.name,
        allocated,
        plain(row.used_hours),
        share(row.slack_ratio),
        share(row.violated_share),
        plain(row.violated_minutes),
        share(row.throttled_ratio),
        UNKNOWN if row.changes_per_day is None else f"{row.changes_per_day:.1f}",
        money(row.cost, currency),
    )


def _escaped(text: str) -> str:
    """Escape what would end a cell or start markup."""
    for mark in ("\\", "|", "`", "*", "_", "<", "["):
        text = text.replace(mark, f"\\{mark}")
    return text
