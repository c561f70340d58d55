"""Scores of a back-test as rows: of the fleet, and of each workload, by layer and resource.

Hours are amounts times time (TFLOPS-hours, GiB-hours), of all devices of all measured workers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recommender.backtest.comparison import loss_hours
from recommender.backtest.scores import hours, violated_minutes
from recommender.decision import Layer
from recommender.resources import GIB, VRAM

if TYPE_CHECKING:
    from recommender.backtest.fleet import BacktestResult
    from recommender.observation import Floats
    from recommender.resources import Resource

FLEET = "(fleet)"
ALL, GPU = "all", "gpu"
"""Layer and resource of the rows that hold what workers cost as a whole."""
REPLICAS = "replicas"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """Scores of one layer and resource, of one workload or of the fleet; None: nothing judged."""

    layer: str
    resource: str
    namespace: str | None
    workload: str | None
    unit: str
    """Of the hours, for example ``TFLOPS h``."""
    allocated_hours: float | None = None
    used_hours: float | None = None
    slack_ratio: float | None = None
    violated_share: float | None = None
    violated_minutes: float | None = None
    throttled_ratio: float | None = None
    denied_vram_minutes: float | None = None
    changes_per_day: float | None = None
    loss_hours: float | None = None
    """Pinball loss."""
    worker_hours: float | None = None
    cost: float | None = None
    """None: no price."""
    is_cost_estimated: bool | None = None
    unpriced_workloads: int | None = None
    """How many the cost leaves out."""

    @property
    def name(self) -> str:
        """``namespace/workload``, or the fleet."""
        return FLEET if self.workload is None else f"{self.namespace}/{self.workload}"

    @property
    def key(self) -> tuple[str, str, str]:
        """Layer, resource and name."""
        return self.layer, self.resource, self.name


def score_rows(result: BacktestResult, *, has_workloads: bool) -> list[ScoreRow]:
    """Return the rows, the fleet's of a layer and resource before those of its workloads.

    Rows in which nothing is judged are left out.
    """
    keys: list[tuple[str, str] | None] = [None, *(result.workloads if has_workloads else ())]
    rows: list[ScoreRow] = []
    for layer in result.layers:
        columns = _columns(result, layer)
        for r, (name, resource) in enumerate(_resources(result, layer)):
            for i, key in enumerate(keys):
                row = _row(columns, (i, r), layer, name, resource, key)
                if row.violated_share is not None:
                    rows.append(row)
    return [*rows, *_cost_rows(result, keys)]


def _resources(result: BacktestResult, layer: Layer) -> list[tuple[str, Resource | None]]:
    """Return the names that a layer is shown under, and what is counted; replicas carry compute."""
    if layer is Layer.REPLICAS:
        compute = next((each for each in result.resources if each.is_compressible), None)
        return [(REPLICAS, compute)]
    return [(resource.name, resource) for resource in result.resources]


def _columns(result: BacktestResult, layer: Layer) -> dict[str, Floats]:
    """Return every score, ``[1 + W, R]``; the fleet comes first."""
    own, fleet = result.layers[layer], result.fleet(layer)
    whole, loss = own.tally.total(), loss_hours(result, layer)
    pairs = {
        "allocated_hours": (
            hours(whole.allocated, result.step_s),
            hours(own.tally.allocated, result.step_s),
        ),
        "used_hours": (hours(whole.used, result.step_s), hours(own.tally.used, result.step_s)),
        "slack_ratio": (fleet.slack, own.scores.slack),
        "violated_share": (fleet.violated_share, own.scores.violated_share),
        "violated_minutes": (
            violated_minutes(whole, result.step_s),
            violated_minutes(own.tally, result.step_s),
        ),
        "throttled_ratio": (fleet.throttled_volume, own.scores.throttled_volume),
        "changes_per_day": (fleet.changes_per_day, own.scores.changes_per_day),
        "loss_hours": (np.nansum(loss, axis=0), loss),
    }
    return {name: np.vstack(pair) for name, pair in pairs.items()}


def _row(
    columns: dict[str, Floats],
    at: tuple[int, int],
    layer: Layer,
    name: str,
    resource: Resource | None,
    key: tuple[str, str] | None,
) -> ScoreRow:
    values = {column: _known(float(table[at])) for column, table in columns.items()}
    is_vram = resource is not None and resource.name == VRAM.name
    if is_vram:
        for column in ("allocated_hours", "used_hours", "loss_hours"):
            value = values[column]
            values[column] = None if value is None else value / GIB
    return ScoreRow(
        layer=layer.name.lower(),
        resource=name,
        namespace=None if key is None else key[0],
        workload=None if key is None else key[1],
        unit="GiB h" if is_vram else f"{'' if resource is None else resource.unit} h".strip(),
        denied_vram_minutes=values["violated_minutes"] if is_vram else None,
        **values,  # type: ignore[arg-type]
    )


def _cost_rows(
    result: BacktestResult, keys: Sequence[tuple[str, str] | None]
) -> Iterator[ScoreRow]:
    """Yield what workers held and cost; the fleet's is the sum of what is known."""
    costs = result.costs
    is_known = np.isfinite(costs.gpu_hours) | np.isfinite(costs.money)
    every = np.arange(len(is_known))
    for i, key in enumerate(keys):
        rows = every if key is None else every[[i - 1]]
        if not is_known[rows].any():
            continue
        yield ScoreRow(
            layer=ALL,
            resource=GPU,
            namespace=None if key is None else key[0],
            workload=None if key is None else key[1],
            unit="GPU h",
            allocated_hours=_sum(costs.gpu_hours[rows]),
            worker_hours=_sum(costs.worker_hours[rows[is_known[rows]]]),
            cost=_sum(costs.money[rows]),
            is_cost_estimated=bool(costs.is_estimated[rows].any()),
            unpriced_workloads=int(np.isnan(costs.money[rows]).sum()),
        )


def _sum(values: Floats) -> float | None:
    """Return the sum of what is known; None where nothing is."""
    return float(np.nansum(values)) if np.isfinite(values).any() else None


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
