"""One turn after the other: reads what the workers use, shares the GPUs, puts limits in force.

Keeps no thread and no time of its own.  What the driver says of the GPUs is ``observing``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from autoscaler.agent.devices.device import Device
from autoscaler.agent.pages.errors import PageError
from autoscaler.agent.pages.progress import Progress
from autoscaler.agent.running.kept_worker import KeptWorker
from autoscaler.agent.running.limits import LimitRules, terms_of
from autoscaler.agent.running.roster import Served
from autoscaler.agent.running.turn_counts import TurnCounts
from autoscaler.agent.sharing.allocator import CardAllocator, CardUser
from autoscaler.agent.sharing.leftover import Leftover

_log = logging.getLogger(__name__)


class Enforcement:
    """The workers of a node and what is in force for them.  Not thread-safe."""

    def __init__(self, rules: LimitRules, counts: TurnCounts) -> None:
        self._rules = rules
        self._counts = counts
        self._kept: dict[str, KeptWorker] = {}
        self._allocators: dict[str, CardAllocator] = {}
        self._leftovers: dict[str, Leftover] = {}
        self._shares: dict[str, dict[str, float]] = {}
        """In force, by UUID of the GPU and UID of the worker."""

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
    ) -> None:
        """Do everything once; ``devices`` are the GPUs of the node by UUID.

        ``now_ns`` is CLOCK_MONOTONIC, ``now_s`` are UTC seconds.  What fails for one worker is
        counted, and told in the log.
        """
        self._take(served, devices)
        for kept in self._kept.values():
            if not kept.read(now_ns):
                self._counts.page_failed()
        self._share(now_s)
        for kept in self._kept.values():
            # Until it was looked at twice, the shares of an earlier agent stay.
            if not kept.is_waiting_for_look:
                self._apply(kept, now_ns)

    def share_of(self, kept: KeptWorker, uuid: str) -> float:
        """Return the share of a GPU that is in force for a worker, 0 to 1."""
        share = self._shares.get(uuid, {}).get(kept.worker.uid)
        return kept.limit_shares[uuid] if share is None else share

    def granted_share(self, uuid: str) -> float:
        """Return the sum of the shares of a GPU that are in force."""
        return sum(self.share_of(kept, uuid) for kept in self.on(uuid))

    def on(self, uuid: str) -> Sequence[KeptWorker]:
        """Return the workers that have a GPU."""
        return [kept for kept in self._kept.values() if uuid in kept.meters]

    def close(self) -> None:
        """Leave all pages as they are: workers keep what is in force."""
        for kept in self._kept.values():
            kept.close()
        self._kept.clear()

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

    def _share(self, now_s: float) -> None:
        """Share each GPU among its workers anew, and let their meters see it."""
        progress = {uid: kept.progress() for uid, kept in self._kept.items()}
        used = {uuid for kept in self._kept.values() for uuid in kept.meters}
        for uuid in used:
            on = self.on(uuid)
            allocator = self._allocators.setdefault(uuid, CardAllocator())
            users = [_user(kept, uuid, progress[kept.worker.uid].get(uuid)) for kept in on]
            shares = self._shares[uuid] = allocator.advance(users)
            left = self._leftovers.setdefault(uuid, Leftover()).advance(users, shares)
            for kept in on:
                meter, share = kept.meters[uuid], shares[kept.worker.uid]
                meter.left_share = left[kept.worker.uid] if meter.is_accounted else None
                meter.hold(share)
                if kept.reading is not None:
                    seen = progress[kept.worker.uid].get(uuid)
                    meter.look(kept.reading, seen, share, now_s)
        for uuid in self._allocators.keys() - used:
            del self._allocators[uuid], self._shares[uuid], self._leftovers[uuid]

    def _apply(self, kept: KeptWorker, now_ns: int) -> None:
        terms = terms_of(kept, self._rules, lambda uuid: self.share_of(kept, uuid))
        try:
            applied_s = kept.apply(terms, now_ns)
        except PageError:
            self._counts.page_failed()
            return
        if applied_s is not None:
            self._counts.applied(applied_s)


def _is_other(kept: KeptWorker, served: Served, devices: Mapping[str, Device]) -> bool:
    """Return whether a worker must be begun anew: it has other GPUs, folders, or a changed GPU."""
    return (
        tuple(kept.meters) != served.worker.uuids
        or kept.served.folders != served.folders
        or any(
            meter.device != devices.get(uuid, meter.device) for uuid, meter in kept.meters.items()
        )
    )


def _user(kept: KeptWorker, uuid: str, seen: Progress | None) -> CardUser:
    return CardUser(
        uid=kept.worker.uid,
        request=kept.request_shares[uuid],
        limit=kept.limit_shares[uuid],
        qos_rank=kept.worker.qos_rank,
        seen=seen,
        trim_k=kept.meters[uuid].trim_k,
        processes=len(kept.reading.processes) if kept.reading is not None else 0,
    )
