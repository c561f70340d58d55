"""Some rows of what belongs to a whole fleet: observation and decisions."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from recommender.decision import Decisions, StepTable
from recommender.observation import Ints, Observation, Workers

_Table = TypeVar("_Table")


def observation_of(observation: Observation, rows: Ints) -> Observation:
    """Return the observation of some rows, in their order.

    ``rows`` must hold all rows of a workload or none, because one of them carries its replicas.
    """
    place = _places(rows, observation.shape[0])
    workloads = _sliced(observation.workloads, rows)
    owner = observation.workers.workload_row
    is_kept = place[owner] >= 0
    return replace(
        observation,
        workloads=replace(workloads, replica_row=place[workloads.replica_row]),
        workers=Workers(
            workload_row=place[owner[is_kept]],
            demand=observation.workers.demand[is_kept],
            is_ready=observation.workers.is_ready[is_kept],
        ),
        usage=_sliced(observation.usage, rows),
        forecasts=None if observation.forecasts is None else _sliced(observation.forecasts, rows),
    )


def decisions_of(decisions: Decisions, rows: Ints) -> Decisions:
    """Return the decisions of some rows, in their order, with their steps."""
    table = decisions.steps
    place = _places(rows, len(decisions.next_replicas))
    is_kept = place[table.row] >= 0
    columns: dict[str, Any] = {
        part.name: getattr(table, part.name)[is_kept] for part in fields(table)
    }
    columns["row"] = place[columns["row"]].astype(np.int32)
    return replace(_sliced(decisions, rows), steps=StepTable(**columns))


def _places(rows: Ints, count: int) -> Ints:
    """Return the new row of each old one, -1 for those that are left out."""
    place = np.full(count, -1, np.int64)
    place[rows] = np.arange(len(rows))
    return place


def _sliced(table: _Table, rows: Ints) -> _Table:
    """Return a dataclass with some rows of its arrays and tuples; the rest stays."""
    parts: dict[str, Any] = {}
    for part in fields(table):  # type: ignore[arg-type]
        value = getattr(table, part.name)
        if isinstance(value, np.ndarray):
            parts[part.name] = value[rows]
        elif isinstance(value, tuple):
            parts[part.name] = tuple(value[row] for row in rows.tolist())
    return replace(table, **parts)  # type: ignore[type-var]
