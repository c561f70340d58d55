"""One turn after the other: reads what the workers use, shares the GPUs, puts limits in force.

Keeps no thread and no time of its own.  What the driver says of the GPUs is ``observing``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autoscaler.agent.devices.device import Device
from autoscaler.agent.pages.errors import PageError
from autoscaler.agent.running.gpu_meter import GPUMeter
from autoscaler.agent.running.kept_worker import KeptWorker
from autoscaler.agent.running.limits import LimitRules, terms_of
from autoscaler.agent.running.roster import Served
from autoscaler.agent.running.turn_counts import TurnCounts
from autoscaler.agent.sharing.allocator import CardAllocator, CardUser
from autoscaler.agent.sharing.leftover import Leftover

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Card:
    """One GPU: who is on it, and how it is shared."""

    on: Sequence[tuple[KeptWorker, GPUMeter]] = ()
    allocator: CardAllocator = field(default_factory=CardAllocator)
    leftover: Leftover = field(default_factory=Leftover)
    shares: Mapping[str, float] = field(default_factory=dict)
    """In force, by UID of the worker."""


class Enforcement:
    """The workers of a node and what is in force for them.  Not thread-safe."""

    def __init__(self, rules: LimitRules, counts: TurnCounts) -> None:
        self._rules = rules
        self._counts = counts
        self._kept: dict[str, KeptWorker] = {}
        self._cards: dict[str, _Card] = {}
        """By UUID, those that workers have."""
        self._served: Sequence[Served] = ()
        self._devices: Mapping[str, Device] = {}

    @property
    def workers(self) -> Sequence[KeptWorker]:
        """Return the workers in the order in which they were given."""
        return tuple(self._kept.values())

    def turn(
        self,
        served: Sequence[Served],
        devices: Mapping[str, Device],
        *,
        now_ns: int,
        now_s: float,
        is_whole: bool = True,
    ) -> None:
        """Do everything once; ``devices`` are the GPUs of the node by UUID.

        Neither changes: who hands over another one has made it anew.  ``now_ns`` is
        CLOCK_MONOTONIC, ``now_s`` are UTC seconds.  Only a whole turn looks for other processes in
        the pages, and for pages that were replaced.  What fails for one worker is counted, and told
        in the log.
        """
        if served is not self._served or devices is not self._devices:
            self._take(served, devices)
        for kept in self._kept.values():
            if not kept.read(now_ns, is_whole=is_whole):
                self._counts.page_failed()
        for uuid, card in self._cards.items():
            _share(uuid, card, now_s)
        for kept in self._kept.values():
            # Until it was looked at twice, the shares of an earlier agent stay.
            if not kept.is_waiting_for_look:
                self._apply(kept, now_ns, is_whole=is_whole)

    def share_of(self, kept: KeptWorker, uuid: str) -> float:
        """Return the share of a GPU that is in force for a worker, 0 to 1."""
        share = self._cards[uuid].shares.get(kept.worker.uid)
        return kept.limit_shares[uuid] if share is None else share

    def granted_share(self, uuid: str) -> float:
        """Return the sum of the shares of a GPU that are in force."""
        card = self._cards.get(uuid)
        return sum(self.share_of(kept, uuid) for kept, _ in card.on) if card else 0.0

    def close(self) -> None:
        """Leave all pages as they are: workers keep what is in force."""
        for kept in self._kept.values():
            kept.close()
        self._kept.clear()
        self._cards.clear()
        self._served = ()

    def _take(self, served: Sequence[Served], devices: Mapping[str, Device]) -> None:
        """Take over who is served now; the pages of who is gone are closed."""
        before, self._kept = self._kept, {}
        for each in served:
            kept = before.pop(each.worker.uid, None)
            if kept is not None and _is_other(kept, each, devices):
                kept.close()
                kept = None
            if kept is None:
                kept = KeptWorker(each, devices)
                _log.info("worker %s is served on %s", kept.name, ", ".join(each.worker.uuids))
            if kept.served is not each:
                kept.take(each)
            self._kept[each.worker.uid] = kept
        for gone in before.values():
            gone.close()
            _log.info("worker %s is gone", gone.name)
        self._served, self._devices = served, devices
        on: dict[str, list[tuple[KeptWorker, GPUMeter]]] = {}
        for kept in self._kept.values():
            for uuid, meter in kept.meters.items():
                on.setdefault(uuid, []).append((kept, meter))
        self._cards = {uuid: self._cards.get(uuid) or _Card() for uuid in on}
        for uuid, card in self._cards.items():
            card.on = on[uuid]

    def _apply(self, kept: KeptWorker, now_ns: int, *, is_whole: bool) -> None:
        terms = terms_of(kept, self._rules, lambda uuid: self.share_of(kept, uuid))
        try:
            applied_s = kept.apply(terms, now_ns, is_whole=is_whole)
        except PageError:
            self._counts.page_failed()
            return
        if applied_s is not None:
            self._counts.applied(applied_s)


def _share(uuid: str, card: _Card, now_s: float) -> None:
    """Share a GPU among its workers anew, and let their meters see it."""
    users = [_user(kept, meter, uuid) for kept, meter in card.on]
    shares = card.shares = card.allocator.advance(users)
    left = card.leftover.advance(users, shares)
    for kept, meter in card.on:
        uid = kept.worker.uid
        share = shares[uid]
        meter.left_share = left[uid] if meter.is_accounted else None
        meter.hold(share)
        if kept.reading is not None:
            meter.look(kept.reading, share, now_s)


def _is_other(kept: KeptWorker, served: Served, devices: Mapping[str, Device]) -> bool:
    """Return whether a worker must be begun anew: it has other GPUs, folders, or a changed GPU."""
    return (
        tuple(kept.meters) != served.worker.uuids
        or kept.served.folders != served.folders
        or any(
            meter.device != devices.get(uuid, meter.device) for uuid, meter in kept.meters.items()
        )
    )


def _user(kept: KeptWorker, meter: GPUMeter, uuid: str) -> CardUser:
    worker, reading = kept.worker, kept.reading
    return CardUser(
        uid=worker.uid,
        request=kept.request_shares[uuid],
        limit=kept.limit_shares[uuid],
        qos_rank=worker.qos_rank,
        seen=meter.seen,
        trim_k=meter.trim_k,
        processes=len(reading.processes) if reading is not None else 0,
        busy_processes=meter.busy_processes,
    )
