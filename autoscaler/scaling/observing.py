"""Observing: from the cluster's view and the usage model to what ``decide`` sees.

One row per view.  The decision state is carried over by (namespace, workload, GPU model) when the
fleet changes, and the policy table is rebuilt only when policies change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.cards import card_of
from autoscaler.scaling.cluster import is_of_job
from autoscaler.scaling.guarding import came_late, with_guards
from recommender.observation import QOS_LEVELS, Observation, Workers, Workloads
from recommender.policy.table import policy_table
from recommender.state import aligned, empty_state
from recommender.usage.statistics import read_demand, read_statistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from autoscaler.scaling.cluster import Amounts, WorkerView, WorkloadView
    from autoscaler.scaling.collect.series import RowKey, SeriesIndex
    from recommender.observation import Bools, Floats, Ints
    from recommender.policy.model import Policy
    from recommender.policy.table import PolicyTable
    from recommender.resources import Resource
    from recommender.state import DecisionState
    from recommender.usage.model import UsageModel


@dataclass(frozen=True, slots=True)
class FleetState:
    """Decision state together with the workloads that its rows belong to."""

    keys: tuple[RowKey, ...]
    state: DecisionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Arguments of ``decide``, and where their rows come from."""

    observation: Observation
    policies: PolicyTable
    fleet: FleetState
    usage_rows: Ints
    """[W] rows of the usage model."""


class Observer:
    """Builds observations of one fleet from one usage model."""

    def __init__(self, model: UsageModel, index: SeriesIndex) -> None:
        self._model = model
        self._index = index
        self._policies: tuple[Policy, ...] = ()
        self._table: PolicyTable | None = None
        self._views: tuple[WorkloadView, ...] = ()
        self._workloads: Workloads | None = None

    def observe(
        self,
        views: Sequence[WorkloadView],
        previous: FleetState | None,
        now_s: int,
        *,
        is_outdated: bool = False,
        is_applied: bool = True,
        was_watched: bool = True,
    ) -> Observed:
        """Return what ``decide`` needs at ``now_s`` for these workloads, rows in their order.

        ``is_applied`` says whether decisions before were brought into force where policies act,
        ``was_watched`` whether amounts in force were looked at while use came: who looks once at
        the end knows nothing of what was promised before.

        Where ``previous`` is outdated, others may have made changes since: the guards of all views
        count, and not only those of workloads that it does not know.  So does one that knows of a
        decrease that came into force later than the state waited for it.
        """
        keys = self._index.keys_of(views)
        usage_rows = self._model.workload_rows(keys)
        policies = self._policy_table([view.policy for view in views])
        workloads = self._columns(views, keys)
        state, is_new = carried_over(previous, keys, workloads.uid, len(self._model.resources))
        state = self._guarded(state, views, is_new | is_outdated, now_s)
        workers = self._workers(views, usage_rows, policies, now_s)
        forecasts = self._model.forecasts
        forecasts.want(usage_rows, policies)
        if was_watched:
            forecasts.note_in_force(workloads, state, is_applied=is_applied)
        usage = read_statistics(self._model, usage_rows, policies, state, now_s)
        return Observed(
            observation=Observation(
                resources=tuple(self._model.resources),
                workloads=workloads,
                workers=workers,
                usage=usage,
                forecasts=forecasts.read(usage_rows, now_s),
            ),
            policies=policies,
            fleet=FleetState(keys, state),
            usage_rows=usage_rows,
        )

    def _guarded(
        self, state: DecisionState, views: Sequence[WorkloadView], rows: Bools, now_s: int
    ) -> DecisionState:
        """Return the state with what the guards of some rows' views know beyond it."""
        rows = rows | came_late(views, state, self._model.resources, now_s)
        seen = ((row, views[row].guard) for row in np.flatnonzero(rows).tolist())
        guards = {row: guard for row, guard in seen if guard is not None}
        return with_guards(state, list(guards), list(guards.values()), self._model.resources, now_s)

    def _columns(self, views: Sequence[WorkloadView], keys: Sequence[RowKey]) -> Workloads:
        """Return the views as columns; views that are the same objects are not read again."""
        known = self._workloads
        gpu_model = tuple(key[2] for key in keys)
        if known is None or known.gpu_model != gpu_model or not _are_same(views, self._views):
            self._views = tuple(views)
            known = self._workloads = workloads_of(views, keys, self._model.resources)
        return known

    def _policy_table(self, policies: Sequence[Policy]) -> PolicyTable:
        if self._table is None or not _are_same(policies, self._policies):
            self._policies = tuple(policies)
            self._table = policy_table(policies, self._model.resources)
        return self._table

    def _workers(
        self,
        views: Sequence[WorkloadView],
        usage_rows: Ints,
        policies: PolicyTable,
        now_s: int,
    ) -> Workers:
        """Return the workers that take part in decisions."""
        parts = self._index.workers_of(views, usage_rows)
        seen = [worker for view in views for worker in view.workers]
        row = np.repeat(np.arange(len(views)), [len(part) for part in parts]).astype(np.int64)
        rows = np.concatenate([*parts, np.empty(0, np.int64)]).astype(np.int64)
        is_ready = np.array([_is_ready(worker, now_s) for worker in seen], bool)
        counted = np.array([not worker.is_surplus for worker in seen], bool)
        rows, row = rows[counted], row[counted]
        period_s = policies.replicas.evaluation_s[row].astype(np.int64)
        return Workers(
            workload_row=row,
            demand=read_demand(self._model, rows, period_s, now_s),
            is_ready=is_ready[counted],
        )


def workloads_of(
    views: Sequence[WorkloadView], keys: Sequence[RowKey], resources: Sequence[Resource]
) -> Workloads:
    """Return the views as columns; ``keys`` say the GPU model of each row."""
    names = [resource.name for resource in resources]

    def columns(values: Iterable[Amounts]) -> Floats:
        rows = [[amounts.get(name, np.nan) for name in names] for amounts in values]
        return np.array(rows, np.float64).reshape(len(views), len(names))

    def numbers(values: Iterable[float | None]) -> Floats:
        return np.array([np.nan if value is None else value for value in values], np.float64)

    cards = [card_of(view, key[2]) for view, key in zip(views, keys, strict=True)]
    return Workloads(
        namespace=tuple(view.namespace for view in views),
        workload=tuple(view.workload for view in views),
        gpu_model=tuple(key[2] for key in keys),
        uid=np.array([view.uid for view in views], np.str_),
        stated_request=columns(view.stated_request for view in views),
        stated_limit=columns(view.stated_limit for view in views),
        request=columns(view.request for view in views),
        limit=columns(view.limit for view in views),
        replicas=numbers(view.replicas for view in views),
        stated_replicas=numbers(view.stated_replicas for view in views),
        gpu_count=np.array([view.gpu_count for view in views], np.int64),
        qos=np.array([QOS_LEVELS.index(view.qos) for view in views], np.int8),
        is_job=np.array([is_of_job(view.owner) for view in views], bool),
        card=columns(cards),
        largest_placeable=columns(view.largest_placeable for view in views),
        quota=columns(view.quota for view in views),
        replica_quota=numbers(view.replica_quota for view in views),
        is_paused=np.array([view.is_paused for view in views], bool),
        external_request=columns(view.external_request for view in views),
        external_limit=columns(view.external_limit for view in views),
        external_replicas=numbers(view.external_replicas for view in views),
        replica_row=_replica_rows(views),
    )


def _are_same(new: Sequence[object], old: Sequence[object]) -> bool:
    return len(new) == len(old) and all(a is b for a, b in zip(new, old, strict=True))


def _is_ready(worker: WorkerView, now_s: int) -> bool:
    return worker.ready_s is not None and 0 <= worker.ready_s <= now_s


def carried_over(
    previous: FleetState | None,
    keys: Sequence[RowKey],
    uid: NDArray[np.str_],
    resources: int,
) -> tuple[DecisionState, Bools]:
    """Return the state for ``keys``, and which rows, ``[W]``, are new or created anew.

    Old rows are moved, new ones are empty.
    """
    if previous is None:
        return empty_state(uid, resources), np.ones(len(uid), bool)
    is_same_fleet = previous.keys == tuple(keys) and np.array_equal(previous.state.uid, uid)
    if is_same_fleet:
        return previous.state, np.zeros(len(uid), bool)
    row_of = {key: row for row, key in enumerate(previous.keys)}
    previous_row = np.array([row_of.get(key, -1) for key in keys], np.int64)
    is_new = previous_row < 0
    is_new[~is_new] = previous.state.uid[previous_row[~is_new]] != uid[~is_new]
    return aligned(previous.state, previous_row, uid), is_new


def _replica_rows(views: Sequence[WorkloadView]) -> Ints:
    first: dict[tuple[str, str], int] = {}
    rows = [first.setdefault(view.key, row) for row, view in enumerate(views)]
    return np.array(rows, np.int64)
