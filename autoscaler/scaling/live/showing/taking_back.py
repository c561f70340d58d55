"""Takes back what stands in a status and is right no longer, without a decision.

No decision is made any more for layers that are not enrolled, for workers on GPUs that a workload
has left, and for a raise that there was no room for and that is not wanted any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.kube.lanes import Priority
from autoscaler.scaling.live.status.capped_raises import is_capped, withdrawal
from autoscaler.scaling.live.status.desired_amounts import desired_after, is_same
from autoscaler.scaling.live.status.statement import Decided
from autoscaler.scaling.live.status.status_parts import guard_after
from autoscaler.scaling.live.writing.statement_writing import Basis
from autoscaler.scaling.live.writing.stating import Wish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.kube.store import Object
    from autoscaler.scaling.cluster import Amounts, Change, WorkloadView
    from autoscaler.scaling.live.replicas.replica_guards import ReplicaGuards
    from autoscaler.scaling.live.status.workload_terms import Terms
    from autoscaler.scaling.live.writing.preparing import Numbering
    from autoscaler.scaling.live.writing.statements import Statements
    from autoscaler.scaling.live.writing.stating import Stating

Next = tuple["WorkloadView", tuple["Amounts", "Amounts"]]
"""A view of a workload, and the request and limit that are decided for it now."""


class TakingBack:
    """Takes statements back; for the loop's thread."""

    def __init__(
        self,
        *,
        statements: Statements,
        stating: Stating,
        guards: ReplicaGuards,
        numbering: Numbering,
    ) -> None:
        self._statements = statements
        self._stating = stating
        self._guards = guards
        self._numbering = numbering

    def look(
        self,
        workload: Object,
        terms: Terms,
        decided_now: Sequence[Next],
        *,
        is_paused: bool,
    ) -> bool:
        """Take back what is right no longer; return whether to look again after the next tick.

        What is stated of a paused workload stays, for that is what pods start with meanwhile.
        """
        standing = self._statements.standing(workload).decided
        status = workload.get("status") or {}
        may_be_old = bool(standing.desired) and is_capped(status)
        changes = self._withdrawals(standing, terms, decided_now) if may_be_old else []
        wanted = self._wanted(workload, standing, changes, terms, is_paused=is_paused)
        if wanted is not None:
            metadata = workload["metadata"]
            wish = Wish(
                key=(metadata["namespace"], metadata["name"]),
                decided=wanted,
                basis=Basis(workload=workload, decided=standing),
                priority=Priority.STATUS,
            )
            self._stating.say(wish)
        return may_be_old or wanted is not None

    def _wanted(
        self,
        workload: Object,
        standing: Decided,
        changes: Sequence[Change],
        terms: Terms,
        *,
        is_paused: bool,
    ) -> Decided | None:
        """Return what is to stand there; None where it does."""
        is_scaled = terms.policy.replicas.is_enrolled
        replicas = self._guards.of(workload) if is_scaled else None
        guard = guard_after(standing.guard, {}, terms.models, replicas)
        desired = desired_after(standing.desired, changes, terms)
        if is_paused or is_same(desired, standing.desired):
            desired = dict(standing.desired)
        elif desired:
            desired = {**self._numbering.next(workload, standing).mapping(), **desired}
        wanted = Decided(desired=desired, guard=guard)
        return None if wanted == standing else wanted

    def _withdrawals(
        self, standing: Decided, terms: Terms, decided_now: Sequence[Next]
    ) -> list[Change]:
        found = (
            withdrawal(view, standing.desired, terms, amounts) for view, amounts in decided_now
        )
        return [change for change in found if change is not None]
