"""Daily training of the fleet's models beside the loop.

A table is copied on the loop's thread, trained in a process of its own, and the model is taken over
at the begin of a later tick, in one step.  Nobody needs one: where a training fails, streams go on
with the model that they had, or with the other experts.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.scaling.running.counts.forecast_counts import (
    TrainedModel,
    TrainingFailure,
    TrainingSnapshot,
)
from autoscaler.scaling.running.forecasts.stream_name import stream_name
from autoscaler.scaling.running.forecasts.training_process import Trained, in_process
from recommender.forecast.daily_training import EVERY_S, TrainingTimes

if TYPE_CHECKING:
    from autoscaler.scaling.running.forecasts.aside import Aside
    from recommender.forecast.asked import StreamKey
    from recommender.forecast.daily_training import Trainable
    from recommender.forecast.training_table import TrainingTable
    from recommender.resources import Resource

_log = logging.getLogger(__name__)


Train = Callable[["TrainingTable", Callable[[], bool]], Trained]
"""Trains a table, on the thread beside the loop, for as long as the answer is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A training that is on its way."""

    forecasts: Trainable
    key: StreamKey
    done: Future[Trained]


class FleetTraining:
    """Trains one stream at a time; ``step`` is for the loop's thread, ``snapshot`` for any."""

    def __init__(
        self,
        aside: Aside,
        resources: Sequence[Resource],
        *,
        every_s: int = EVERY_S,
        train: Train = in_process,
    ) -> None:
        self._aside = aside
        self._resources = tuple(resources)
        self._every_s = every_s
        self._train = train
        self._forecasts: Trainable | None = None
        self._times = TrainingTimes(every_s)
        self._asked: _Asked | None = None
        self._models: dict[StreamKey, TrainedModel] = {}
        self._failures: Counter[TrainingFailure] = Counter()
        self._told: dict[StreamKey, str] = {}
        """What was logged last of a stream that could not be trained."""
        self._snapshot = TrainingSnapshot()

    def step(self, forecasts: Trainable, now_s: int) -> None:
        """Take over what was trained, and have the next stream trained that is due."""
        if forecasts is not self._forecasts:
            # A usage model that was filled elsewhere: its streams have no model yet.
            self._forecasts, self._times = forecasts, TrainingTimes(self._every_s)
            self._models.clear()
        asked = self._asked
        if asked is not None:
            if not asked.done.done():
                return
            self._asked = None
            if asked.forecasts is forecasts and not asked.done.cancelled():
                self._take(asked, now_s)
        rows = forecasts.training_rows()
        for gone in self._models.keys() - rows.keys():
            del self._models[gone]
        for key in self._times.due(rows, now_s)[:1]:
            self._ask(forecasts, key)
        self._snapshot = self._counted()

    def snapshot(self) -> TrainingSnapshot:
        """Return the numbers of now."""
        return self._snapshot

    def _ask(self, forecasts: Trainable, key: StreamKey) -> None:
        table = forecasts.training_tables([key])[key]
        done = self._aside.submit(partial(self._train, table, lambda: self._aside.is_wanted))
        if done is not None:
            self._asked = _Asked(forecasts=forecasts, key=key, done=done)

    def _take(self, asked: _Asked, now_s: int) -> None:
        key, error = asked.key, asked.done.exception()
        if error is not None:
            self._fail(key, TrainingFailure.FAILED, f"{type(error).__name__}: {error}", now_s)
            return
        answer = asked.done.result()
        if answer.model is None:
            self._fail(key, answer.failure or TrainingFailure.FAILED, answer.why, now_s)
            return
        asked.forecasts.install(key, answer.model)
        self._times.trained(key, now_s)
        self._told.pop(key, None)
        model = TrainedModel(
            rows=answer.model.rows,
            took_s=answer.took_s,
            trained_s=now_s,
            version=answer.version,
        )
        self._models[key] = model
        _log.info(
            "the fleet's model of %s was trained on %d rows in %.1f s, version %.12s",
            *(stream_name(key, self._resources), model.rows, model.took_s, model.version),
        )

    def _fail(self, key: StreamKey, failure: TrainingFailure, why: str, now_s: int) -> None:
        self._times.failed(key, now_s)
        self._failures[failure] += 1
        if self._told.get(key) == why:
            return
        self._told[key] = why
        _log.warning(
            "the fleet's model of %s was not trained, and %s: %s",
            stream_name(key, self._resources),
            "the one before goes on" if key in self._models else "forecasts go on without one",
            why,
        )

    def _counted(self) -> TrainingSnapshot:
        return TrainingSnapshot(
            models=MappingProxyType(
                {
                    (key.layer.name.lower(), self._resources[key.resource].name, key.ahead_s): model
                    for key, model in self._models.items()
                }
            ),
            failures=MappingProxyType(
                {failure: self._failures[failure] for failure in TrainingFailure}
            ),
        )
