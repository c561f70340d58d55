"""Which workloads are to be looked at again, by what their views are made of.

Threads of the caches only note that something changed; what it means is found out here, on the
thread that asks, so that a change that makes no difference costs nothing further.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.api.control import Control, is_paused
from autoscaler.kube.resource import NAMESPACES, POOLS, QUOTAS, WORKLOADS
from autoscaler.kube.store import Key, key_of
from autoscaler.scaling.live.change_marks import Marks, StoreMarks

if TYPE_CHECKING:
    from autoscaler.scaling.external.answers import ExternalAnswer
    from autoscaler.scaling.live.caches import LiveCaches
    from autoscaler.scaling.live.replicas.replica_state import ReplicaMemory
    from autoscaler.scaling.live.viewing.room import Room
    from autoscaler.scaling.live.viewing.worker_index import WorkerIndex

_NO_SWITCHES = Control()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What the views of one workload depend on, besides itself and its workers."""

    uid: str
    pool: str
    gpus: frozenset[str]
    """Names of the GPU objects of its workers."""
    is_resting: bool
    """Whether no worker says which GPU it has, so that those of the pool count."""
    is_scaled: bool
    """Whether its replicas are automatic, so that it matters who else sets them."""
    is_asked: bool
    """Whether an external scaler is asked for it."""
    external: ExternalAnswer | None
    """Its answer that is in the views."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What is to be looked at."""

    again: frozenset[Key]
    """Workloads of which anything may be other than before."""
    bounds: frozenset[Key]
    """Further ones, of which only the room on GPUs and in quotas may be."""


class ViewChanges:
    """Follows the caches; for one thread."""

    def __init__(
        self,
        caches: LiveCaches,
        workers: WorkerIndex,
        room: Room,
        *,
        replica_guards: ReplicaMemory,
        external: Callable[[str], ExternalAnswer | None],
        scaling: Callable[[], object],
    ) -> None:
        """``scaling`` is another value whenever other replicas may be held than before."""
        self._caches = caches
        self._workers = workers
        self._room = room
        self._external = external
        self._scaling_of = scaling
        kinds = (WORKLOADS, QUOTAS, POOLS, *((NAMESPACES,) if caches.is_partial else ()))
        self._marks = {kind: StoreMarks(caches.store(kind)) for kind in kinds}
        self._guarded = Marks()
        replica_guards.on_change(self._guarded.mark)
        self._known: dict[Key, Dependencies] = {}
        self._on_gpu: defaultdict[str, set[Key]] = defaultdict(set)
        self._in_pool: defaultdict[str, set[Key]] = defaultdict(set)
        self._asked: set[Key] = set()
        self._scaled: set[Key] = set()
        self._paused_pools: set[str] = set()
        self._singles: dict[Key, object] = {}
        """What each quota says of single workers."""
        self._control: Control | None = None
        self._scaling: object = None

    def depends(self, key: Key, on: Dependencies | None) -> None:
        """Note what the views of a workload depend on now; None: it has none."""
        old = self._known.pop(key, None)
        for deps, put in ((old, set.discard), (on, set.add)):
            if deps is None:
                continue
            for gpu in deps.gpus:
                put(self._on_gpu[gpu], key)
            put(self._in_pool[deps.pool], key)
            if deps.is_asked:
                put(self._asked, key)
            if deps.is_scaled:
                put(self._scaled, key)
        if on is not None:
            self._known[key] = on

    def take(self) -> Changed:
        """Return what is to be looked at since the last call."""
        again = self._marks[WORKLOADS].take() | self._workers.look() | self._guarded.take()
        again |= self._of_chosen() | self._of_pools() | self._of_switches()
        again |= {key for key in self._asked if self._has_other_answer(key)}
        change = self._room.look()
        for gpu in change.devices:
            again |= self._on_gpu.get(gpu, set())
        near = {key for pool, _ in change.groups for key in self._in_pool.get(pool, ())}
        again |= {key for key in near if self._known[key].is_resting}
        capped, bounded = self._of_quotas()
        again |= capped
        return Changed(again=frozenset(again), bounds=frozenset((near | bounded) - again))

    def _of_chosen(self) -> set[Key]:
        """Return the workloads of namespaces that were chosen, or no longer are."""
        if NAMESPACES not in self._marks:
            return set()
        names = {name for _, name in self._marks[NAMESPACES].take()}
        return {key for name in names for key in self._in_namespace(name)}

    def _of_quotas(self) -> tuple[set[Key], set[Key]]:
        """Return the workloads whose workers may start with other amounts, and further ones.

        What is in use changes with every worker; what one worker may have, when somebody edits it.
        """
        capped: set[Key] = set()
        bounded: set[Key] = set()
        for namespace, name in self._marks[QUOTAS].take():
            quota = self._caches.store(QUOTAS).get(namespace, name)
            single = (quota or {}).get("spec", {}).get("single")
            known = self._singles.pop((namespace, name), None)
            if single is not None:
                self._singles[namespace, name] = single
            found = self._in_namespace(namespace) & self._known.keys()
            if single == known:
                bounded |= found
            else:
                capped |= found
        return capped, bounded - capped

    def _in_namespace(self, name: str) -> set[Key]:
        return {key_of(obj) for obj in self._caches.workloads_of(name)}

    def _of_pools(self) -> set[Key]:
        """Return the workloads of pools that are paused now and were not, or the other way."""
        found: set[Key] = set()
        for _, name in self._marks[POOLS].take():
            paused = is_paused(_NO_SWITCHES, self._caches.pool(name))
            if paused != (name in self._paused_pools):
                self._paused_pools ^= {name}
                found |= self._in_pool.get(name, set())
        return found

    def _of_switches(self) -> set[Key]:
        """Return all workloads where a switch changed, the scaled ones where rivals did."""
        control, scaling = self._caches.control(), self._scaling_of()
        is_switched, is_other = control != self._control, scaling != self._scaling
        self._control, self._scaling = control, scaling
        if is_switched:
            return set(self._known)
        return set(self._scaled) if is_other else set()

    def _has_other_answer(self, key: Key) -> bool:
        known = self._known[key]
        return self._external(known.uid) != known.external
