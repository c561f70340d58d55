"""One training in a process of its own, which yields to all others and may be ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscaler.scaling.running.counts.forecast_counts import TrainingFailure
from recommender.forecast.daily_training import load, train_table
from recommender.forecast.named.reason import Reason
from recommender.forecast.pool import run_each

if TYPE_CHECKING:
    from recommender.forecast.fleet_model import FleetModel
    from recommender.forecast.training_table import TrainingTable

LIMIT_S = 120.0
"""The largest table takes some seconds; what takes so long does not come back."""
LESS_URGENT = 10
"""By how much, of the 40 steps of a Unix system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training gave: a model, or why there is none."""

    model: FleetModel | None
    version: str = ""
    """Digest of what it was trained on."""
    failure: TrainingFailure | None = None
    why: str = ""
    took_s: float = 0.0


def in_process(
    table: TrainingTable,
    is_wanted: Callable[[], bool],
    *,
    task: Callable[[TrainingTable], Trained] | None = None,
    limit_s: float = LIMIT_S,
) -> Trained:
    """Train a table; ends within a second once the answer is no longer wanted.

    ``task`` is what the process does, a function of a module.
    """
    [done] = run_each(
        task or trained,
        [table],
        clock=time.monotonic,
        limit_s=limit_s,
        processes=1,
        prepare=prepare,
        is_wanted=is_wanted,
    )
    if done.answer is not None:
        return replace(done.answer, took_s=done.seconds)
    if done.reason is Reason.TIMED_OUT:
        why = f"it took longer than {limit_s:g} s and was ended"
        return Trained(model=None, failure=TrainingFailure.TOO_LONG, why=why)
    why = "its process ended before it had a model"
    return Trained(model=None, failure=TrainingFailure.ENDED, why=why)


def trained(table: TrainingTable) -> Trained:
    """Train a table here; an error is told in words, for it crosses to another process."""
    try:
        model = train_table(table)
    except Exception as error:  # noqa: BLE001 - whatever it is, the model before goes on
        why = f"{type(error).__name__}: {error}"
        return Trained(model=None, failure=TrainingFailure.FAILED, why=why)
    if model is None:
        why = "too few of its rows have an outcome"
        return Trained(model=None, failure=TrainingFailure.FAILED, why=why)
    return Trained(model=model, version=table.version)


def prepare() -> None:
    """Begin a process that trains."""
    os.nice(LESS_URGENT)
    load()
