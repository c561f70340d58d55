"""All forecasts of a fleet: which stream each policy asks for, and what the streams say.

It belongs to the usage model, which tells it of every block that closes.  Nothing is computed for
workloads that ask for no forecast and state no risk.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from recommender.decision import Layer
from recommender.forecast.absence import Absence
from recommender.forecast.asked import Asked, Judging, StreamKey
from recommender.forecast.asking import ahead_of_replicas, asked_of_streams
from recommender.forecast.moving import Moving
from recommender.forecast.named_wish import NamedWish
from recommender.forecast.reading import evidence_of, forecasts_of
from recommender.forecast.rows import of_rows
from recommender.forecast.series import append
from recommender.forecast.spending import LIMITS_MOST_FACTOR, REQUESTS_MOST_FACTOR
from recommender.forecast.stream import NAMED, Course, Stream
from recommender.forecast.training_table import TrainingTable, table_of
from recommender.forecast.unfitted import SeriesWhy, Unfitted
from recommender.forecast.use import LimitsUse, ReplicasUse, RequestsUse
from recommender.policy.table import MODEL_NAMES
from recommender.usage.blocks import BLOCK_S
from recommender.usage.startup import learned_startup_s
from recommender.usage.store import CLOSE_AFTER_S

if TYPE_CHECKING:
    from recommender.forecast.fleet_model import FleetModel
    from recommender.forecast.history_training import HistoryTraining
    from recommender.forecast.promises import ForecastEvidence
    from recommender.observation import Bools, Floats, Forecasts, Ints, Workloads
    from recommender.policy.table import PolicyTable
    from recommender.state import DecisionState
    from recommender.usage.model import UsageModel

WARM_UP_BLOCKS = 168
"""So many of the newest blocks of a history that is read at once are gone through one by one, each
with its forecast: a gate wants the outcome of a hundred."""
GO_ON_S = 3600
"""Forecasts go on for so long without a workload."""


class FleetForecasts:
    """The streams of one usage model."""

    def __init__(self, model: UsageModel) -> None:
        self._model = model
        self.streams: dict[StreamKey, Stream] = {}
        self.layers: Collection[Layer] = frozenset(Layer)
        """That forecasts are made for; nobody decides on those of others."""
        self.history_end_s = 0
        """Of a history that is read at once: its older blocks are closed without a forecast."""
        self.training: HistoryTraining | None = None
        """Trains models as blocks close; None: whoever drives the forecasts does it."""
        self._unfitted = Unfitted()
        self._policies: PolicyTable | None = None
        self._rows: Ints = np.empty(0, np.int64)
        self._replicas_ahead_s: Ints = np.empty(0, np.int64)

    def want(self, rows: Ints, policies: PolicyTable) -> None:
        """Say what the policies of usage ``rows`` ask for, in the order of the table.

        Others go on for a while with what they asked for: a workload may be made anew.
        """
        startup_s = learned_startup_s(self._model.startup_s[rows])
        ahead_s = ahead_of_replicas(policies.replicas, startup_s, self._replicas_ahead(rows))
        is_same = policies is self._policies and np.array_equal(rows, self._rows)
        if is_same and np.array_equal(ahead_s, self._replicas_ahead_s):
            return
        self._policies, self._rows, self._replicas_ahead_s = policies, rows.copy(), ahead_s
        first_row = self._first_rows(rows)
        resources = self._model.resources
        every = asked_of_streams(policies, resources, first_row == rows, ahead_s)
        asking = {key: asked for key, asked in every.items() if key.layer in self.layers}
        moving = Moving(self.streams)
        nobody: tuple[Ints, Asked | None] = np.empty(0, np.int64), None
        for key in dict.fromkeys([*asking, *self.streams]):
            stream = self.opened(key)
            away = np.flatnonzero(self._are_away(key, stream.rows))
            if isinstance(stream.use, ReplicasUse):
                alone = stream.rows[away]
                stream.use.demand.group(np.append(rows, alone), np.append(first_row, alone))
            position, asked = asking.get(key, nobody)
            self._ask(key, stream, position, asked, away)
            moving.move(key, stream)
        self.streams = {key: each for key, each in self.streams.items() if len(each.rows)}

    def _ask(
        self, key: StreamKey, stream: Stream, position: Ints, asked: Asked | None, away: Ints
    ) -> None:
        """Let a stream forecast for rows of the table, and for series of its own that are away."""
        rows = np.append(self._rows[position], stream.rows[away])
        if stream.asked is not None:
            others = stream.asked.of(away)
            if asked is None:
                asked = others
            else:
                append(asked, others)
        assert asked is not None, "a stream that nobody has asked yet has somebody who asks now"
        order = np.argsort(rows, kind="stable")
        closed_s = self._model.stores[key.resource].closed_block * BLOCK_S
        stream.ask(rows[order], asked.of(order), closed_s)

    def _are_away(self, key: StreamKey, rows: Ints) -> Bools:
        """Return which rows nobody names now whose use was measured lately."""
        store = self._model.stores[key.resource]
        is_recent = store.last_sample_s[rows] >= store.closed_until_s - GO_ON_S
        return np.asarray(is_recent & ~np.isin(rows, self._rows), np.bool_)

    def _replicas_ahead(self, rows: Ints) -> Ints:
        """Return how far ahead the demand of workloads is forecast, ``[W]`` in s; 0: not at all."""
        ahead_s = np.zeros(len(self._model.workloads), np.int64)
        for key, stream in self.streams.items():
            if key.layer is Layer.REPLICAS:
                ahead_s[stream.rows] = key.ahead_s
        return ahead_s[rows]

    def opened(self, key: StreamKey) -> Stream:
        """Return a stream; where there is none yet, one without rows."""
        if key in self.streams:
            return self.streams[key]
        if key.layer is Layer.LIMITS:
            use: LimitsUse | RequestsUse | ReplicasUse = LimitsUse(self._model, key.resource)
            judging = Judging(
                delay_s=CLOSE_AFTER_S,
                ahead_s=key.ahead_s,
                percentile=1.0,
                most_factor=LIMITS_MOST_FACTOR,
            )
        elif key.layer is Layer.REQUESTS:
            use = RequestsUse(self._model, key.resource)
            judging = Judging(
                delay_s=0,
                ahead_s=key.ahead_s,
                percentile=0.95,
                most_factor=REQUESTS_MOST_FACTOR,
            )
        else:
            use = ReplicasUse(self._model, key.resource)
            judging = Judging(delay_s=0, ahead_s=key.ahead_s, percentile=1.0)
        stream = self.streams[key] = Stream(use, judging)
        return stream

    def group_restored(self) -> None:
        """Tell streams that came back which rows are of one workload, for as long as nobody asks.

        Blocks close before that: use is collected first.
        """
        keys = self._model.workloads.keys
        named = [(row, key[:2]) for row, key in enumerate(keys) if key is not None]
        for stream in self.streams.values():
            if isinstance(stream.use, ReplicasUse):
                asks = set(stream.rows.tolist())
                first = {workload: row for row, workload in named if row in asks}
                known = [(row, first[workload]) for row, workload in named if workload in first]
                rows, first_row = np.array(known, np.int64).reshape(-1, 2).T
                stream.use.demand.group(rows, first_row)

    def stops_s(self, resource: int, closed_until_s: int, limit_s: int) -> list[int]:
        """Return where closing up to ``limit_s`` has to stop for a forecast; the limit is last."""
        if self._model.begin_s < 0:
            # nothing was measured yet: all blocks since 1970 would be gone through in vain
            return [limit_s]
        stops = {limit_s}
        for key, stream in self.streams.items():
            if key.resource == resource:
                block_s, after_s = stream.use.block_s, stream.use.after_s
                first_s = max(closed_until_s, self._since_s(stream), self._model.begin_s)
                first = (first_s - after_s) // block_s + 1
                stops.update(range(first * block_s + after_s, limit_s, block_s))
        return sorted(stops)

    def closed(self, resource: int, until_s: int) -> None:
        """Forecast from the blocks that are looked at when minutes have closed up to then."""
        for key, stream in self.streams.items():
            end_s = until_s - stream.use.after_s
            is_due = key.resource == resource and end_s % stream.use.block_s == 0
            if is_due and end_s > max(stream.until_s, self._since_s(stream)):
                stream.advance(end_s)
        if self.training is not None:
            self.training.step(self)

    def _since_s(self, stream: Stream) -> int:
        return self.history_end_s - WARM_UP_BLOCKS * stream.use.block_s

    def note_in_force(
        self, workloads: Workloads, state: DecisionState, *, is_applied: bool = True
    ) -> None:
        """Take what is in force now, before anything is decided, in the order of ``want``.

        ``state`` is that of the decisions before; they bring nothing into force where nobody
        applies them.  Requests move in days, so what they are moved to is taken too; limits are
        there within minutes.
        """
        if self._policies is None:
            return
        moves = self._policies.requests.acts & ~workloads.is_paused[:, None] & is_applied
        nothing = np.full(workloads.limit.shape, np.nan)
        least_limit = np.fmax(self._policies.limits.min_allowed, workloads.request)
        target = state.target_request
        taken = {
            Layer.LIMITS: (workloads.limit, nothing, least_limit),
            Layer.REQUESTS: (workloads.request, np.where(moves, target, np.nan), target),
        }
        for key, stream in self.streams.items():
            if key.layer in taken:
                columns = (column[:, key.resource] for column in taken[key.layer])
                stream.note(*(of_rows(column, self._rows, stream.rows) for column in columns))

    def drop(self, rows: Ints) -> None:
        """Forget the rows of workloads that are gone."""
        for stream in self.streams.values():
            stream.forget(rows)
        self._unfitted = self._unfitted.without(set(rows.tolist()))
        self._policies = None

    def read(self, rows: Ints, now_s: int) -> Forecasts | None:
        """Return what is forecast for usage ``rows``; None where nobody asks."""
        if not self.streams:
            return None
        return forecasts_of(self.streams, rows, len(self._model.stores), now_s)

    def evidence(self, rows: Ints) -> ForecastEvidence:
        """Return what was promised to usage ``rows``, and what came of it."""
        return evidence_of(self.streams, rows, len(self._model.stores), self._unfitted)

    def training_rows(self) -> dict[StreamKey, int]:
        """Return how many outcomes each stream has to train its model on."""
        return {key: stream.forecaster.examples.outcomes for key, stream in self.streams.items()}

    def training_tables(self, keys: Collection[StreamKey]) -> dict[StreamKey, TrainingTable]:
        """Return what the models of some streams would be trained on now: copies."""
        known = [key for key in keys if key in self.streams]
        return {key: table_of(self.streams[key].forecaster.examples) for key in known}

    def install(self, key: StreamKey, model: FleetModel) -> None:
        """Forecast with a newly trained model from the next block on."""
        if key in self.streams:
            self.streams[key].forecaster.model = model

    def named_wanted(self) -> tuple[NamedWish, ...]:
        """Return which series ask for a model that is fitted for them alone, and their history."""
        wishes = []
        for key, stream in self.streams.items():
            for column in np.flatnonzero(np.isin(stream.model, NAMED)).tolist():
                name = MODEL_NAMES[stream.model[column]]
                row = int(stream.rows[column])
                wishes += [
                    NamedWish(
                        key=key,
                        row=row,
                        model=name,
                        block=block,
                        block_s=stream.use.block_s,
                        values=values,
                    )
                    for block, values in stream.history(column)
                ]
        return tuple(wishes)

    def install_named(self, wish: NamedWish, course: Floats) -> None:
        """Take what a model by name expects of the blocks after that of the wish."""
        stream = self.streams.get(wish.key)
        if stream is not None and wish.row in stream.rows:
            stream.courses[wish.row] = Course(first_block=wish.block + 1, use=course)

    def tell_unfitted(self, why: SeriesWhy) -> None:
        """Say which series go without a model of their own, and why; all others wait for theirs."""
        self._unfitted = Unfitted(others=Absence.NOT_YET, why=why)

    def _first_rows(self, rows: Ints) -> Ints:
        """Return the first usage row of the workload of each row, ``[W]``."""
        first: dict[object, int] = {}
        keys = self._model.workloads.keys
        named = ((row, keys[row]) for row in rows.tolist())
        return np.array(
            [row if key is None else first.setdefault(key[:2], row) for row, key in named], np.int64
        )
