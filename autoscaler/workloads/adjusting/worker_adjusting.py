"""One worker gets what was decided for it: room is found and held, then the pod is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.api.condition_reasons import CapReason
from autoscaler.api.names import GPU_MODEL, PREFIX
from autoscaler.errors import KubeError
from autoscaler.kube.store import Key, Object
from autoscaler.workloads.adjusting.adjust_bounds import bounds_of, ceiling_bounds
from autoscaler.workloads.adjusting.adjust_plan import Amounts, Bound, Capped, Plan, plan
from autoscaler.workloads.adjusting.adjust_report import WorkerOutcome
from autoscaler.workloads.adjusting.wanted_amounts import Wanted
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.quota_totals import read_totals
from autoscaler.workloads.books.reading_claims import capacity_of, claim_of
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.counts import AdjustOutcome, Direction
from autoscaler.workloads.errors import InvalidWorkerError, OverbookedError
from autoscaler.workloads.placement.placement import with_annotations
from autoscaler.workloads.pod_state import is_gated
from autoscaler.workloads.qos_rank import rank_of

if TYPE_CHECKING:
    from autoscaler.workloads.adjusting.amounts_writing import AmountsWriting
    from autoscaler.workloads.adjusting.wanted_amounts import WantedAmounts
    from autoscaler.workloads.tools import Tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one worker is to have, and what that would change where there is room for all."""

    pod: Object
    wanted: Wanted
    claim: Claim | None
    """What it has, by its annotations; None: it waits for its GPUs."""
    capacity: GpuAmounts
    """Of its GPUs, as far as they are known."""
    plan: Plan

    @property
    def name(self) -> str:
        """Return the name of the pod."""
        return str(self.pod["metadata"]["name"])

    @property
    def uid(self) -> str:
        """Return the UID of the pod."""
        return str(self.pod["metadata"]["uid"])

    @property
    def version(self) -> str:
        """Return the version of the pod."""
        return str(self.pod["metadata"]["resourceVersion"])

    def planned(self, bounds: Iterator[Bound]) -> Plan:
        """Return what becomes of the worker within bounds."""
        return _planned(self.wanted, self.claim, self.capacity, bounds)

    def outcome(self, granted: Plan) -> WorkerOutcome:
        """Return that a plan was carried out."""
        return WorkerOutcome(
            worker=self.name,
            current=self.wanted.current,
            changes=granted.changes,
            capped=granted.capped,
            gpus=gpus_of(self.pod),
            has_raise=granted.has_raise,
            has_decrease=granted.has_decrease,
        )

    def left(self) -> WorkerOutcome:
        """Return that the worker was left as it is for this time."""
        return WorkerOutcome(
            worker=self.name, current=self.wanted.current, changes={}, is_left=True
        )

    def refused(self, error: KubeError) -> WorkerOutcome:
        """Return that the API server refuses the change."""
        return _kept(self.pod, self.wanted, Capped(CapReason.WRITE_REFUSED, str(error)))


class WorkerAdjusting:
    """Adjusts single workers; thread-safe, one thread for one workload at a time."""

    def __init__(self, tools: Tools, writing: AmountsWriting) -> None:
        self._tools = tools
        self._writing = writing

    def wish_of(self, pod: Object, wanted: WantedAmounts) -> Wish | WorkerOutcome | None:
        """Return what a worker is to have, or that its annotations cannot be read.

        None for one that is neither placed nor waits for it, or is just being placed.
        """
        annotations = pod["metadata"].get("annotations") or {}
        if not gpus_of(pod):
            if not is_gated(pod) or self._tools.books.claim(pod["metadata"]["uid"]) is not None:
                return None
            return _wish(pod, wanted.of_gated(annotations), None, GpuAmounts())
        cards = [card for card in map(self._tools.books.card, gpus_of(pod)) if card is not None]
        models = [card.gpu_model or card.model for card in cards]
        found = wanted.of_running(annotations, (*models, annotations.get(GPU_MODEL, ""))[0])
        try:
            claim = claim_of(pod, self._tools.books.card)
        except InvalidWorkerError as error:
            return _kept(pod, found, Capped(CapReason.INVALID_WORKER, str(error)))
        return _wish(pod, found, claim, capacity_of(pod, self._tools.books.card))

    def grant(self, workload: Key, wish: Wish) -> WorkerOutcome | None:
        """Give a worker what there is room for.

        None where the books do not know the pod, as it is gone or just came; they will.  Raises a
        ``KubeError`` of the write.
        """
        is_placed = wish.claim is not None
        granted = self._hold(wish) if is_placed and wish.plan.changes else wish.plan
        if granted is None:
            return None
        if granted.changes and is_placed:
            self._write(workload, wish.pod, granted)
        elif granted.changes:
            self._writing.write(workload, wish.pod, granted.changes, is_held=False)
        return wish.outcome(granted)

    def _write(self, workload: Key, pod: Object, granted: Plan) -> None:
        direction = Direction.UP if granted.has_raise else Direction.DOWN
        try:
            self._writing.write(workload, pod, granted.changes, is_held=True)
        except KubeError:
            self._tools.counts.adjusted(direction, AdjustOutcome.FAILED)
            raise
        result = AdjustOutcome.CAPPED if granted.capped else AdjustOutcome.APPLIED
        self._tools.counts.adjusted(direction, result)

    def _hold(self, wish: Wish) -> Plan | None:
        """Return what a placed worker gets, which is held from now on."""
        books, metadata = self._tools.books, wish.pod["metadata"]
        with books.deciding():
            held = books.claim(metadata["uid"])
            if held is None:
                return None
            granted = wish.planned(self._bounds(wish, held))
            annotations = {f"{PREFIX}{key}": text for key, text in granted.changes.items()}
            try:
                claim = claim_of(with_annotations(wish.pod, annotations), books.card)
                if granted.changes and claim is not None:
                    books.raise_claim(metadata["uid"], claim.request, claim.limit)
            except InvalidWorkerError as error:
                return _nothing(granted, CapReason.INVALID_WORKER, error)
            except OverbookedError as error:
                return _nothing(granted, CapReason.GPU_FULL, error)
            return granted

    def _bounds(self, wish: Wish, held: Claim) -> Iterator[Bound]:
        totals = read_totals(self._tools.cluster.quotas(held.namespace))
        books, nominations = self._tools.books, self._tools.nominations
        free = nominations.free_for(held.uid, rank_of(held.qos), books.free)
        yield from bounds_of(held, books, free, totals)
        wanted = wish.wanted
        yield from ceiling_bounds(wanted.ceilings, wanted.quota_errors, wish.capacity)


def _wish(
    pod: Object, wanted: Wanted, claim: Claim | None, capacity: GpuAmounts
) -> Wish | WorkerOutcome:
    if wanted.errors:
        return _kept(pod, wanted, Capped(CapReason.INVALID_WORKER, "; ".join(wanted.errors)))
    if claim is None and wanted.quota_errors:
        return _kept(pod, wanted, Capped(CapReason.QUOTA_EXCEEDED, wanted.quota_errors[0]))
    whole = _planned(wanted, claim, capacity, iter(()))
    return Wish(pod=pod, wanted=wanted, claim=claim, capacity=capacity, plan=whole)


def _planned(
    wanted: Wanted, claim: Claim | None, capacity: GpuAmounts, bounds: Iterator[Bound]
) -> Plan:
    present = Amounts() if claim is None else Amounts(request=claim.request, limit=claim.limit)
    return plan(
        wanted.current, wanted.wanted, present=present, capacity=capacity, bounds=tuple(bounds)
    )


def _kept(pod: Object, wanted: Wanted, why: Capped) -> WorkerOutcome:
    return WorkerOutcome(
        worker=pod["metadata"]["name"],
        current=wanted.current,
        changes={},
        capped=(why,),
        gpus=gpus_of(pod),
    )


def _nothing(granted: Plan, reason: CapReason, error: Exception) -> Plan:
    capped = (*granted.capped, Capped(reason, str(error)))
    return Plan(changes={}, capped=capped, has_raise=False, has_decrease=False)
