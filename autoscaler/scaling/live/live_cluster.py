"""The cluster of the loop, live: what is decided is stated, and the controller carries it out.

Amounts are stated in the status of the workload, and replicas set in its one scale; no worker is
ever touched.  How a change becomes a statement is ``preparing``, how it is written ``stating``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from autoscaler.scaling.cluster import Outcome
from autoscaler.scaling.live.writing.preparing import Prepared, refused
from autoscaler.scaling.live.writing.write_results import failure_of

if TYPE_CHECKING:
    from autoscaler.kube.store import Key, Object
    from autoscaler.scaling.cluster import Change, WorkloadView
    from autoscaler.scaling.live.replicas.replica_guards import ReplicaGuards
    from autoscaler.scaling.live.writing.preparing import Preparing, Views
    from autoscaler.scaling.live.writing.statement_writing import Find
    from autoscaler.scaling.live.writing.stating import Asked, Stating
    from autoscaler.scaling.live.writing.telling import Telling
    from autoscaler.scaling.live.writing.write_results import Result

APPLY_WITHIN_S = 10.0
LEAST_SHARE = 0.4
"""Of that time at least so much is for writing, however long it took to decide."""
_log = logging.getLogger(__name__)


class LiveCluster:
    """The loop's ``Cluster`` over an API server; for the loop's thread."""

    def __init__(
        self,
        *,
        views: Views,
        find: Find,
        workloads: Callable[[], Iterable[Object]],
        preparing: Preparing,
        stating: Stating,
        guards: ReplicaGuards,
        telling: Telling,
        apply_within_s: float = APPLY_WITHIN_S,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``find`` returns a workload as the cache shows it, ``workloads`` all of them.

        What ``apply`` is asked for is begun within ``apply_within_s`` of the snapshot that it was
        decided on, so that the next one need not wait; at least ``LEAST_SHARE`` of that time are
        for it.
        """
        self._views = views
        self._find = find
        self._workloads = workloads
        self._preparing = preparing
        self._stating = stating
        self._guards = guards
        self._telling = telling
        self._apply_within_s = apply_within_s
        self._monotonic_s = monotonic_s
        self._snapshot_s = monotonic_s()
        self._has_learned = False
        self._told: dict[Key, str] = {}
        """Workloads that could not be prepared, and what was logged of it last."""

    def snapshot(self) -> Sequence[WorkloadView]:
        """Return all workloads, after a look at whether somebody else set replicas."""
        self._snapshot_s = self._monotonic_s()
        if not self._has_learned:
            self._guards.learn(self._workloads())
            self._has_learned = True
        views = {view.key: view for view in self._views.of(self._guards.keys())}
        for reset in self._guards.observe(views):
            workload = self._find(*reset.key)
            if workload is not None:
                self._telling.reset(workload, reset)
        return self._views.snapshot()

    def reread(self, keys: Sequence[Key]) -> Sequence[WorkloadView]:
        """Return some workloads as the caches show them at this moment."""
        return self._views.of(keys)

    def apply(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """State changes and set replicas, urgent ones first; one outcome per change, in order.

        A change of which nothing is new is not written, and is no applied one.
        """
        by_key: dict[Key, list[Change]] = {}
        for change in changes:
            by_key.setdefault((change.namespace, change.workload), []).append(change)
        longest_s, now_s = self._apply_within_s, self._monotonic_s()
        end_s = max(self._snapshot_s + longest_s, now_s + LEAST_SHARE * longest_s)
        urgent = {key for key, group in by_key.items() if any(each.is_urgent for each in group)}
        # What is urgent is on its way while all else is being prepared.
        parts = [
            self._asked({key: by_key[key] for key in by_key if (key in urgent) is is_urgent})
            for is_urgent in (True, False)
        ]
        outcomes: dict[int, Outcome] = {}
        for prepared, asked in parts:
            outcomes |= {id(each.change): each for item in prepared for each in item.refused}
            left_s = max(end_s - self._monotonic_s(), 0.0)
            results = self._stating.results(asked, within_s=left_s)
            wanted = [item for item in prepared if item.wish is not None]
            for item, result in zip(wanted, results, strict=True):
                outcomes |= {id(each.change): each for each in self._settled(item, result)}
        return [outcomes[id(change)] for change in changes]

    def _asked(self, by_key: Mapping[Key, Sequence[Change]]) -> tuple[list[Prepared], Asked]:
        prepared = [self._prepared(key, group) for key, group in by_key.items()]
        wishes = [item.wish for item in prepared if item.wish is not None]
        return prepared, self._stating.ask(wishes)

    def _prepared(self, key: Key, changes: Sequence[Change]) -> Prepared:
        try:
            prepared = self._preparing.prepare(key, changes)
        except Exception as error:  # noqa: BLE001 - one workload must not cost all others the tick
            failure = failure_of(error).result
            if self._told.get(key) != failure.text:
                self._told[key] = failure.text
                _log.exception("workload %s/%s: its changes cannot be made", *key)
            return Prepared(refused=refused(changes, failure.text))
        self._told.pop(key, None)
        return prepared

    def _settled(self, prepared: Prepared, result: Result) -> Iterable[Outcome]:
        for change in prepared.amounts:
            yield Outcome(change=change, applied=result.is_stated, reason=result.text)
        scaled = prepared.scaled
        if scaled is None:
            return
        if not result.is_stated:
            # nothing was set, as the status is written before
            self._guards.undo(prepared.workload, scaled.scaling.remembered)
        reason = result.text or result.then
        yield Outcome(change=scaled.change, applied=not reason, reason=reason)
