"""The workloads of an upstream operator as the loop sees them, made anew where something changed.

A workload is there as long as it has workers.  Its views are built as those of our own workloads
are (``view_building``), from an object of the same form that is put together here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from autoscaler.api.condition_reasons import ReplicasReason
from autoscaler.api.control import Control
from autoscaler.api.names import WORKLOAD_LABEL
from autoscaler.garbage_collection import collection_paused
from autoscaler.kube.resource import GPUS, PODS, WORKLOADS
from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.live.change_marks import Marks, StoreMarks
from autoscaler.scaling.live.replicas.replica_state import Held, ReplicaState
from autoscaler.scaling.live.upstream.settings import amounts_in, declared_spec, settings_of
from autoscaler.scaling.live.viewing.room import Room
from autoscaler.scaling.live.viewing.view_building import Facts, views_of
from autoscaler.scaling.live.viewing.worker_state import worker_state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from autoscaler.kube.store import Change, Key, Object
    from autoscaler.scaling.cards import GpuModels
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.external.answers import ExternalAnswer
    from autoscaler.scaling.live.upstream.caches import UpstreamCaches
    from autoscaler.scaling.live.upstream.settings import Profiles
    from autoscaler.scaling.live.viewing.worker_state import WorkerState

HELD = Held(
    reason=ReplicasReason.NO_SCALE,
    text="the operator of these workloads is asked for amounts only, not for replicas",
)
_log = logging.getLogger("autoscaler.scaling")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One workload, with at least one view."""

    views: tuple[WorkloadView, ...]
    gpus: frozenset[str]
    external: ExternalAnswer | None
    problem: str


class UpstreamViews:
    """The views of one autoscaler; for one thread."""

    def __init__(
        self,
        caches: UpstreamCaches,
        *,
        gpu_models: GpuModels,
        profiles: Profiles | None = None,
        rows: Mapping[Key, Mapping[str, object]] | None = None,
        external: Callable[[str], ExternalAnswer | None] = lambda _uid: None,
    ) -> None:
        """``profiles`` and ``rows`` are those of the mounted files, by namespace and name.

        ``external`` returns the last answer of the external scaler of a workload, by its uid.
        """
        self._caches = caches
        self._gpu_models = gpu_models
        self._profiles: Profiles = profiles or {}
        self._rows = rows or {}
        self._external = external
        self._room = Room(caches.store(GPUS))
        self._workloads = StoreMarks(caches.store(WORKLOADS))
        self._of_workers = Marks()
        self._control: Control | None = None
        self._entries: dict[Key, _Entry] = {}
        self._first: dict[Key, dict[str, Any]] = {}
        self._asked: set[Key] = set()
        """Those that have an external scaler."""
        self._chosen: set[str] = set()
        """Namespaces of workloads that are looked after."""
        self._views: tuple[WorkloadView, ...] = ()
        pods = caches.store(PODS)
        pods.on_change(self._note)
        for pod in pods.items():
            self._mark(pod)

    def snapshot(self) -> list[WorkloadView]:
        """Return the views of all workloads, by namespace, name and GPU model."""
        self._look()
        return list(self._views)

    def of(self, keys: Iterable[Key]) -> list[WorkloadView]:
        """Return the views of some workloads; of one that is not there, none."""
        self._look()
        found = (self._entries.get(key) for key in dict.fromkeys(keys))
        return [view for entry in found if entry is not None for view in entry.views]

    def control(self) -> Control:
        """Return the switches of the installation as they are now; for any thread."""
        return self._caches.control()

    def _note(self, change: Change) -> None:
        """Mark the workloads of a pod, in the thread of the cache."""
        for pod in (change.old, change.new):
            if pod is not None:
                self._mark(pod)

    def _mark(self, pod: Object) -> None:
        name = (pod["metadata"].get("labels") or {}).get(WORKLOAD_LABEL)
        if name:
            self._of_workers.mark((pod["metadata"]["namespace"], name))

    def _look(self) -> None:
        """Bring the views to what the caches show."""
        # What is made here has no cycles, and is much after a start or a changed switch.
        with collection_paused():
            control = self._caches.control()
            again = self._changed(is_switched=control != self._control)
            self._control = control
            for key in again:
                self._read(key, control)
            chosen = {key[0] for key in self._entries if self._caches.has_chosen(key[0])}
            if again or chosen != self._chosen:
                self._chosen = chosen
                entries = sorted(self._entries.items(), key=lambda item: item[0])
                self._views = tuple(
                    view for key, entry in entries if key[0] in chosen for view in entry.views
                )

    def _changed(self, *, is_switched: bool) -> set[Key]:
        """Return the workloads whose views may say something else now."""
        again = self._of_workers.take() | self._workloads.take()
        devices = self._room.look().devices
        if is_switched:
            return again | self._entries.keys()
        if devices:
            again |= {key for key, entry in self._entries.items() if devices & entry.gpus}
        asked = {key: self._entries[key] for key in self._asked & self._entries.keys()}
        again |= {k for k, e in asked.items() if e.external != self._external(e.views[0].uid)}
        return again

    def _read(self, key: Key, control: Control) -> None:
        """Make the views of a workload anew; those that say the same stay the same objects."""
        pods = self._caches.workers_of(*key)
        workers = tuple(state for state in map(worker_state_of, pods) if state is not None)
        before = self._entries.pop(key, None)
        self._asked.discard(key)
        if not any(state.runs for state in workers):
            if not pods:
                self._first.pop(key, None)
            return
        try:
            entry = self._entry(key, pods, workers, control)
        except Exception as error:  # noqa: BLE001 - one workload must not end the sight of all
            if before is None or before.problem != str(error):
                _log.exception("workload %s/%s cannot be read", *key)
            return
        if entry.problem and (before is None or before.problem != entry.problem):
            _log.warning("workload %s/%s: %s", *key, entry.problem)
        if before is not None:
            entry = replace(entry, views=_same_where_equal(before.views, entry.views))
        self._entries[key] = entry
        if _is_asked(entry):
            self._asked.add(key)

    def _entry(
        self, key: Key, pods: Sequence[Object], workers: tuple[WorkerState, ...], control: Control
    ) -> _Entry:
        workload = self._caches.store(WORKLOADS).get(*key)
        newest = max(
            pods, key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", _of(pod))
        )
        annotations = newest["metadata"].get("annotations") or {}
        first = self._first.setdefault(key, amounts_in(annotations))
        spec = declared_spec(workload, first)
        row = self._rows.get(key)
        settings = settings_of(key[0], annotations, spec, profiles=self._profiles, row=row)
        rule = settings.policy.replicas
        live = sum(state.is_live for state in workers)
        replicas = spec.get("replicas", live)
        made = _object(key, workload, annotations, spec)
        uid = made["metadata"]["uid"]
        external = self._external(uid)
        facts = Facts(
            workload=made,
            workers=workers,
            settings=settings,
            control=control,
            pool=None,
            quotas=(),
            replicas=ReplicaState(
                replicas=replicas, stated=replicas, held=HELD if rule.is_enrolled else None
            ),
            external=external,
        )
        built = views_of(facts, self._room, self._gpu_models)
        return _Entry(
            # What its next workers get is the operator's to say.
            views=tuple(
                replace(each.view, start_request=amounts(), start_limit=amounts()) for each in built
            ),
            gpus=frozenset(gpu for state in workers for gpu in state.gpus),
            external=external,
            problem=settings.problem,
        )


def _is_asked(entry: _Entry) -> bool:
    external = entry.views[0].policy.external
    return external is not None and external.is_enabled


def _of(pod: Object) -> str:
    return str(pod["metadata"]["name"])


def _object(
    key: Key, workload: Object | None, annotations: Mapping[str, str], spec: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a workload in the form of ours."""
    metadata = {} if workload is None else workload["metadata"]
    return {
        "metadata": {
            "namespace": key[0],
            "name": key[1],
            "uid": metadata.get("uid") or "/".join(key),
            "annotations": {**annotations, **(metadata.get("annotations") or {})},
        },
        "spec": spec,
        "status": {},
    }


def _same_where_equal(
    old: Sequence[WorkloadView], new: Sequence[WorkloadView]
) -> tuple[WorkloadView, ...]:
    known = {view.gpu_model: view for view in old}
    return tuple(
        before if (before := known.get(view.gpu_model)) is not None and before == view else view
        for view in new
    )
