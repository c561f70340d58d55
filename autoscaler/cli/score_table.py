"""Scores of a back-test as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from autoscaler.sources.timestamps import iso
from recommender.backtest.plan import Amounts
from recommender.decision import Layer
from recommender.report.textgrid import grid
from recommender.sentences import percent

if TYPE_CHECKING:
    from autoscaler.cli.backtest import ScoreFormat
    from recommender.backtest.fleet import BacktestResult
    from recommender.backtest.whatif import Scores
    from recommender.observation import Floats

SCHEMA = "tensorfusion-backtest/v1"
FLEET = "(fleet)"
HEADS = ("LAYER", "RESOURCE", "WORKLOAD", "SLACK", "VIOLATED", "VOLUME", "DENIED", "CHANGES")
EXPLANATION = (
    "SLACK allocated / used - 1, VIOLATED share of time with use above the amount,\n"
    "VOLUME use above it as a share of use, "
    "DENIED minutes in which VRAM would have been refused,\nCHANGES a day and workload\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """Scores of one layer and resource, of one workload or of the fleet; None: nothing judged."""

    layer: str
    resource: str
    namespace: str | None
    workload: str | None
    slack_ratio: float | None
    violated_share: float | None
    throttled_ratio: float | None
    denied_vram_minutes: float | None
    changes_per_day: float | None

    @property
    def name(self) -> str:
        """``namespace/workload``, or the fleet."""
        return FLEET if self.workload is None else f"{self.namespace}/{self.workload}"


def score_rows(result: BacktestResult, *, has_workloads: bool) -> list[ScoreRow]:
    """Return the rows, the fleet's of a layer and resource before those of its workloads."""
    rows = []
    for layer in result.layers:
        names = [resource.name for resource in result.resources]
        if layer is Layer.REPLICAS:
            names = ["replicas"]
        for r, name in enumerate(names):
            rows += [
                row
                for row in _rows(result, layer, r, name, has_workloads=has_workloads)
                if row.slack_ratio is not None or row.violated_share is not None
            ]
    return rows


def render_scores(result: BacktestResult, rows: Sequence[ScoreRow], output: ScoreFormat) -> str:
    """Return the scores in one format."""
    records = [asdict(row) for row in rows]
    if output == "json":
        plan = result.plan
        document = {
            "schema": SCHEMA,
            "start_s": result.start_s,
            "end_s": result.end_s,
            "step_s": result.step_s,
            "decision_steps_s": {
                layer.name.lower(): step_s for layer, step_s in plan.steps_s.items()
            },
            "delay_s": plan.delay_s,
            "is_closed_loop": plan.is_closed_loop,
            "amounts": plan.amounts,
            "scores": records,
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if output == "csv":
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(ScoreRow.__dataclass_fields__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return buffer.getvalue()
    return _table(result, rows)


def _table(result: BacktestResult, rows: Sequence[ScoreRow]) -> str:
    kind = "closed loop" if result.plan.is_closed_loop else "open loop"
    head = (
        f"{iso(result.start_s)} to {iso(result.end_s)}, {kind}, {result.plan.amounts} amounts\n\n"
    )
    if not rows:
        return f"{head}nothing to judge: {_why_nothing(result)}\n"
    cells = [
        (
            row.layer,
            row.resource,
            row.name,
            percent(row.slack_ratio),
            percent(row.violated_share),
            percent(row.throttled_ratio),
            "-" if row.denied_vram_minutes is None else f"{row.denied_vram_minutes:g}",
            "-" if row.changes_per_day is None else f"{row.changes_per_day:.1f}",
        )
        for row in rows
    ]
    return f"{head}{grid(HEADS, cells)}\n{EXPLANATION}"


def _why_nothing(result: BacktestResult) -> str:
    """Return what a judgement would need, by what was asked for."""
    needs = ["at least 30 min and 12 samples of usage"]
    if result.plan.amounts == Amounts.NEXT:
        needs.append("a layer that the workloads file enrols (--amounts next)")
    if Layer.REPLICAS in result.layers:
        needs.append("replicas and a TFLOPS limit in the workloads file (--layer replicas)")
    return f"no workload has {', and '.join(needs)}"


def _rows(
    result: BacktestResult, layer: Layer, r: int, name: str, *, has_workloads: bool
) -> Iterator[ScoreRow]:
    is_vram = layer is not Layer.REPLICAS and not result.resources[r].is_compressible
    denied = result.denied_vram_minutes(layer)[:, r] if is_vram else None
    yield _row(
        layer, name, None, result.fleet(layer), r, None if denied is None else float(denied.sum())
    )
    if not has_workloads:
        return
    own = result.layers[layer].scores
    for i, key in enumerate(result.workloads):
        yield _row(layer, name, key, own, (i, r), None if denied is None else float(denied[i]))


def _row(
    layer: Layer,
    resource: str,
    key: tuple[str, str] | None,
    scores: Scores,
    at: int | tuple[int, int],
    denied: float | None,
) -> ScoreRow:
    return ScoreRow(
        layer=layer.name.lower(),
        resource=resource,
        namespace=None if key is None else key[0],
        workload=None if key is None else key[1],
        slack_ratio=_known(scores.slack, at),
        violated_share=_known(scores.violated_share, at),
        throttled_ratio=_known(scores.throttled_volume, at),
        denied_vram_minutes=denied,
        changes_per_day=_known(scores.changes_per_day, at),
    )


def _known(values: Floats, at: int | tuple[int, int]) -> float | None:
    value = float(values[at])
    return value if math.isfinite(value) else None
