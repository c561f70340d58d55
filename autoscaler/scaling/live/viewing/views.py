"""The workloads of the cluster as the loop sees them, made anew only where something changed.

A view is the same object as long as it says the same, so that whoever made columns of it can keep
them.  Of what a view is made is ``view_building``, when it is made again ``view_changes``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoscaler.garbage_collection import collection_paused
from autoscaler.kube.resource import GPUS, PODS
from autoscaler.kube.store import Key, Object
from autoscaler.scaling.cluster import WorkloadView, is_of_job
from autoscaler.scaling.live.replicas.replica_state import (
    Held,
    ReplicaMemory,
    ReplicaState,
    owner_text,
    replica_state,
)
from autoscaler.scaling.live.replicas.scale_targets import held_by_rival
from autoscaler.scaling.live.viewing.policies import Settings, settings_of
from autoscaler.scaling.live.viewing.room import Room
from autoscaler.scaling.live.viewing.view_building import Built, Facts, pool_of, refitted, views_of
from autoscaler.scaling.live.viewing.view_changes import Dependencies, ViewChanges
from autoscaler.scaling.live.viewing.worker_index import WorkerIndex

if TYPE_CHECKING:
    from autoscaler.scaling.cards import GpuModels
    from autoscaler.scaling.external.answers import ExternalAnswer
    from autoscaler.scaling.live.caches import LiveCaches
    from autoscaler.scaling.live.replicas.rivals import Rivals
    from autoscaler.scaling.live.replicas.scale_targets import ScaleTargets
    from autoscaler.scaling.live.viewing.worker_state import WorkerState

_log = logging.getLogger("autoscaler.scaling")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One workload."""

    built: tuple[Built, ...]
    """Empty where it could not be read."""
    held: Held | None
    problem: str


class LiveViews:
    """The views of one autoscaler; for one thread, but ``problem_of`` and ``held_of`` for any."""

    def __init__(
        self,
        caches: LiveCaches,
        *,
        rivals: Rivals,
        scale_targets: ScaleTargets,
        replica_guards: ReplicaMemory,
        external: Callable[[str], ExternalAnswer | None],
        gpu_models: GpuModels,
    ) -> None:
        """``external`` returns the last answer of the external scaler of a workload, by its uid."""
        self._caches = caches
        self._rivals = rivals
        self._targets = scale_targets
        self._guards = replica_guards
        self._external = external
        self._gpu_models = gpu_models
        self._workers = WorkerIndex(caches.store(PODS))
        self._room = Room(caches.store(GPUS))
        self._changes = ViewChanges(
            caches,
            self._workers,
            self._room,
            replica_guards=replica_guards,
            external=external,
            scaling=lambda: (rivals.version, scale_targets.version),
        )
        self._entries: dict[Key, _Entry] = {}
        self._views: tuple[WorkloadView, ...] = ()

    def snapshot(self) -> list[WorkloadView]:
        """Return the views of all workloads, by namespace, name and GPU model."""
        self._look()
        return list(self._views)

    def of(self, keys: Iterable[Key]) -> list[WorkloadView]:
        """Return the views of some workloads; of one that is not there, none."""
        self._look()
        found = (self._entries.get(key) for key in dict.fromkeys(keys))
        return [built.view for entry in found if entry is not None for built in entry.built]

    def problem_of(self, key: Key) -> str:
        """Return what of a workload's settings or workers cannot be used; empty: all can."""
        entry = self._entries.get(key)
        return "" if entry is None else entry.problem

    def held_of(self, key: Key) -> Held | None:
        """Return why nobody may set the replicas of a workload, where they are automatic."""
        entry = self._entries.get(key)
        return None if entry is None else entry.held

    def _look(self) -> None:
        """Bring the views to what the caches show."""
        # What is made here has no cycles, and is much after a start or a changed switch.
        with collection_paused():
            changed = self._changes.take()
            is_new = [self._read_again(key) for key in changed.again]
            is_new += [self._refit(key) for key in changed.bounds]
            if any(is_new):
                self._entries = dict(sorted(self._entries.items(), key=lambda item: item[0]))
                entries = self._entries.values()
                self._views = tuple(built.view for entry in entries for built in entry.built)

    def _read_again(self, key: Key) -> bool:
        """Make the views of a workload anew; return whether one is another one than before."""
        workload = self._caches.workload(*key)
        before = self._entries.get(key)
        if workload is None or workload["metadata"].get("deletionTimestamp"):
            self._changes.depends(key, None)
            self._entries.pop(key, None)
            return before is not None
        entry = self._entry(key, workload)
        if before is not None:
            entry = replace(entry, built=_same_where_equal(before.built, entry.built))
        self._entries[key] = entry
        return before is None or not _are_same(before.built, entry.built)

    def _refit(self, key: Key) -> bool:
        """Bring a workload to the bounds that there are now; return whether a view is another."""
        before, quotas = self._entries[key], self._caches.quotas(key[0])
        built = tuple(refitted(each, self._room, quotas) for each in before.built)
        self._entries[key] = replace(before, built=built)
        return not _are_same(before.built, built)

    def _entry(self, key: Key, workload: Object) -> _Entry:
        try:
            return self._read(key, workload)
        except Exception as error:  # noqa: BLE001 - one workload must not end the sight of all
            problem = f"{type(error).__name__}: {error}"
            before = self._entries.get(key)
            if before is None or before.problem != problem:
                _log.exception("TensorFusionWorkload %s/%s cannot be read", *key)
            return _Entry(built=(), held=None, problem=problem)

    def _read(self, key: Key, workload: Object) -> _Entry:
        """Read everything that the views of a workload are made of."""
        workers = self._workers.of(key)
        settings = settings_of(workload, is_job=is_of_job(owner_text(workload)))
        pool, external = pool_of(workload, workers), self._answer(workload, settings)
        replicas = self._replicas(workload, settings)
        facts = Facts(
            workload=workload,
            workers=workers,
            settings=settings,
            control=self._caches.control(),
            pool=self._caches.pool(pool),
            quotas=self._caches.quotas(key[0]),
            replicas=replicas,
            external=external,
        )
        gpus = frozenset(gpu for each in workers if not each.has_ended for gpu in each.gpus)
        self._changes.depends(
            key,
            Dependencies(
                uid=workload["metadata"]["uid"],
                pool=pool,
                gpus=gpus,
                is_resting=not all(map(self._room.device, gpus)) or not _is_running(workers),
                is_scaled=settings.policy.replicas.is_enrolled,
                is_asked=_is_asked(settings),
                external=external,
            ),
        )
        built = views_of(facts, self._room, self._gpu_models)
        return _Entry(built=built, held=replicas.held, problem=_problem(settings, workers))

    def _answer(self, workload: Object, settings: Settings) -> ExternalAnswer | None:
        return self._external(workload["metadata"]["uid"]) if _is_asked(settings) else None

    def _replicas(self, workload: Object, settings: Settings) -> ReplicaState:
        """Return the replicas of a workload; who may set them matters where they are automatic."""
        if not settings.policy.replicas.is_enrolled:
            return replica_state(workload, remembered=None, held=None)
        remembered = self._guards.stated_of(workload)
        held = self._held(workload) or self._guards.held_of(workload)
        return replica_state(workload, remembered=remembered, held=held)

    def _held(self, workload: Object) -> Held | None:
        target = self._targets.target_of(workload)
        if isinstance(target, Held):
            return target
        rival = self._rivals.rival_of(target.namespace, target.kind_and_group, target.name)
        return None if rival is None else held_by_rival(rival, target)


def _is_asked(settings: Settings) -> bool:
    external = settings.policy.external
    return external is not None and external.is_enabled


def _is_running(workers: Iterable[WorkerState]) -> bool:
    return any(worker.runs for worker in workers)


def _problem(settings: Settings, workers: Iterable[WorkerState]) -> str:
    """Return what cannot be used, of each worker that says the same once."""
    named = sorted(workers, key=lambda worker: worker.name)
    of_workers = (
        f"worker {worker.name}: {worker.in_force.problem}"
        for worker in named
        if worker.runs and worker.in_force.problem
    )
    return "; ".join(filter(None, (settings.problem, next(of_workers, ""))))


def _same_where_equal(old: tuple[Built, ...], new: tuple[Built, ...]) -> tuple[Built, ...]:
    """Return what is new, with the objects of before where they say the same."""
    known = {built.view.gpu_model: built.view for built in old}
    return tuple(
        replace(built, view=_same(known.get(built.view.gpu_model), built)) for built in new
    )


def _same(old: WorkloadView | None, built: Built) -> WorkloadView:
    view = built.view
    if old is None:
        return view
    if old.workers == view.workers:
        view = replace(view, workers=old.workers)
    return old if old == view else view


def _are_same(old: tuple[Built, ...], new: tuple[Built, ...]) -> bool:
    """Return whether these are the same views."""
    views = zip(old, new, strict=False)
    return len(old) == len(new) and all(one.view is other.view for one, other in views)
