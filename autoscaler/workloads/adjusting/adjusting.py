"""Decisions of the autoscaler come into force: worker by worker, as far as there is room.

Nothing is remembered of what was done for which worker: at each look, what every worker is to have
is compared with what it has, within the room that there is.  That comes out the same until room
grows or a newer decision comes, so nothing is written twice and nothing loops.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from autoscaler.api.names import COMPONENT, Component
from autoscaler.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import POOLS, WORKLOADS
from autoscaler.kube.store import Change, ChangeKind, Key, Object, key_of
from autoscaler.workloads.adjusting.adjust_report import WorkerOutcome, adjusted_of
from autoscaler.workloads.adjusting.adjust_telling import AdjustTelling
from autoscaler.workloads.adjusting.adjusted import UNDECIDED, Adjusted
from autoscaler.workloads.adjusting.amounts_writing import AmountsWriting
from autoscaler.workloads.adjusting.capped_workloads import CappedWorkloads
from autoscaler.workloads.adjusting.decisions import applied_of, decision_of, desired_of, hindrance
from autoscaler.workloads.adjusting.refused_wish import RefusedWish
from autoscaler.workloads.adjusting.wanted_amounts import WantedAmounts
from autoscaler.workloads.adjusting.worker_adjusting import Wish, WorkerAdjusting
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.pod_state import has_ended, is_deleted
from autoscaler.workloads.work import WorkKey, WorkKind

if TYPE_CHECKING:
    from autoscaler.workloads.tools import Tools

MOST_WRITES = 50
"""Of one look, so that a large workload does not keep a thread to itself."""


class Adjusting:
    """Adjusts the workers of workloads; thread-safe, one thread for one workload at a time."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._writing = AmountsWriting(tools)
        self._workers = WorkerAdjusting(tools, self._writing)
        self._telling = AdjustTelling(tools)
        self._capped = CappedWorkloads()
        self._refused: dict[Key, dict[str, RefusedWish]] = {}
        """Of workers, by the UID of their pod."""
        tools.cluster.store(WORKLOADS).on_change(self._on_workload)

    def adjust(self, workload: Object, pods: Sequence[Object]) -> Adjusted:
        """Carry the decision for a workload to its workers; return what its status is to say.

        ``pods`` are those of the workload as the cache shows them.  Raises a ``KubeError`` where
        the API server did not do as asked and the workload is to be looked at again; what was
        done until then stays done.
        """
        key = key_of(workload)
        newest = self._writing.newest(key, pods)
        if desired_of(workload) is None:
            self._forget_waits(key)
            return UNDECIDED
        control = self._tools.cluster.control()
        pool_name = (workload.get("spec") or {}).get("poolName")
        pool = self._tools.cluster.store(POOLS).get(None, pool_name) if pool_name else None
        state = hindrance(workload, control, pool)
        if state is not None:
            self._forget_waits(key)
            status = workload.get("status") or {}
            return Adjusted(
                applied=applied_of(workload),
                state=state,
                replicas_with_all=status.get("appliedRecommendedReplicas"),
                has_more=False,
            )
        wanted = WantedAmounts(workload, control, self._tools.cluster.quotas(key[0]))
        return self._carry_out(workload, [pod for pod in newest if _is_live_worker(pod)], wanted)

    def capped_workloads_on(self, gpus: Collection[str], namespaces: Collection[str]) -> set[Key]:
        """Return the workloads, as (namespace, name), that more room there may let have more."""
        return self._capped.on(gpus, namespaces)

    def _carry_out(
        self, workload: Object, pods: Sequence[Object], wanted: WantedAmounts
    ) -> Adjusted:
        key = key_of(workload)
        outcomes: list[WorkerOutcome] = []
        wishes: list[Wish] = []
        for pod in pods:
            wish = self._workers.wish_of(pod, wanted)
            if isinstance(wish, WorkerOutcome):
                outcomes.append(wish)
            elif wish is not None:
                wishes.append(wish)
        # What is freed from now on must not be missed, so the key waits for all that it may lack.
        gpus = {gpu for each in wishes if each.plan.changes for gpu in gpus_of(each.pod)}
        self._capped.note(key, gpus=gpus, waits_for_quota=True)
        failures: list[ConflictError] = []
        outcomes += self._granted(key, wishes, failures)
        self._note_waits(key, outcomes)
        desired = desired_of(workload)
        assert desired is not None
        self._telling.tell(workload, decision_of(desired), outcomes)
        if failures:
            raise failures[0]
        warnings = sorted({text for wish in wishes for text in wish.wanted.warnings})
        return adjusted_of(outcomes, desired, warnings, modes=wanted.modes)

    def _granted(
        self, key: Key, wishes: Sequence[Wish], failures: list[ConflictError]
    ) -> list[WorkerOutcome]:
        """Grant what there is room for: first what frees some, then by name."""
        outcomes, writes = [], 0
        known = self._refused.pop(key, {})
        for wish in sorted(wishes, key=lambda each: (each.plan.has_raise, each.name)):
            if writes >= MOST_WRITES and wish.plan.changes:
                outcomes.append(wish.left())
                continue
            outcome: WorkerOutcome | None
            try:
                outcome = self._grant(key, wish, known)
            except NotFoundError:
                continue  # the pod is gone, which the cache will show
            except ConflictError as error:
                failures.append(error)
                outcome = wish.left()
            if outcome is not None:
                outcomes.append(outcome)
                writes += bool(outcome.changes)
        return outcomes

    def _grant(
        self, key: Key, wish: Wish, known: Mapping[str, RefusedWish]
    ) -> WorkerOutcome | None:
        """Grant one wish, or repeat that the API server refuses it."""
        now_s = self._tools.clock.now_s()
        refusal = known.get(wish.uid)
        if refusal is None or not refusal.answers(wish, now_s=now_s):
            try:
                return self._workers.grant(key, wish)
            except (InvalidError, ForbiddenError) as error:
                refusal = RefusedWish.of(wish, error, now_s=now_s)
        self._refused.setdefault(key, {})[wish.uid] = refusal
        again = WorkKey(WorkKind.WORKLOAD, *key)
        self._tools.work.add_after(again, refusal.again_s - now_s, Priority.STATUS)
        return wish.refused(refusal.error)

    def _note_waits(self, key: Key, outcomes: Sequence[WorkerOutcome]) -> None:
        capped = [each for each in outcomes if each.capped]
        self._capped.note(
            key,
            gpus={gpu for each in capped for gpu in each.gpus},
            waits_for_quota=any(each.waits_for_quota for each in capped),
        )

    def _forget_waits(self, key: Key) -> None:
        self._capped.note(key, gpus=(), waits_for_quota=False)

    def _on_workload(self, change: Change) -> None:
        """Forget a workload that is gone."""
        if change.kind is ChangeKind.DELETED:
            key = key_of(change.obj)
            self._forget_waits(key)
            self._refused.pop(key, None)
            self._writing.forget(key)
            self._telling.forget(key)


def _is_live_worker(pod: Object) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return labels.get(COMPONENT) == Component.WORKER and not is_deleted(pod) and not has_ended(pod)
