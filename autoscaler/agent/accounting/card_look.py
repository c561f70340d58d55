"""Who uses a card, by the driver's list of processes and the workers' pages of use.

The driver's list is the truth about who is there and how much memory each holds.  Its utilisation
of a process is no share of the card beside others: it tells who had work, and how much only where
one worker had the card for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from autoscaler.agent.devices.samples import DeviceSample, ProcessSample
from autoscaler.agent.mapping.pod_processes import PodProcess
from autoscaler.agent.pages.use_reading import UseReading

PERCENT = 100.0


@dataclass(frozen=True, kw_only=True)
class WorkerLook:
    """The processes of one worker on a card."""

    metered: tuple[ProcessSample, ...] = ()
    """Those that hold a slot of the worker's page."""
    unaccounted: tuple[ProcessSample, ...] = ()
    """Those that hold none: the limiter does not see them."""

    @property
    def processes(self) -> tuple[ProcessSample, ...]:
        """Return all of them."""
        return (*self.metered, *self.unaccounted)

    @cached_property
    def busy_metered(self) -> int:
        """Return how many processes with a slot had work."""
        return sum(map(_is_busy, self.metered))

    @cached_property
    def busy(self) -> int:
        """Return how many processes had work."""
        return self.busy_metered + sum(map(_is_busy, self.unaccounted))

    @cached_property
    def memory_bytes(self) -> int | None:
        """Return what the driver says that they hold; None where it does not say."""
        amounts = [each.memory_bytes for each in self.processes]
        return None if None in amounts else sum(filter(None, amounts))

    @property
    def unaccounted_share(self) -> float:
        """Return the utilisation of the processes that hold no slot, 0 to 1."""
        percents = (each.sm_percent or 0.0 for each in self.unaccounted)
        return min(sum(percents) / PERCENT, 1.0)


@dataclass(frozen=True, kw_only=True)
class CardLook:
    """One sample of a card, by worker."""

    sample: DeviceSample
    workers: Mapping[str, WorkerLook]
    """By UID; workers without a process on the card are left out, and so are processes of no worker
    and those that only say themselves whose they are."""

    @cached_property
    def _busy(self) -> int:
        """How many processes had work, of workers and of others."""
        return sum(map(_is_busy, self.sample.processes))

    @cached_property
    def _busy_workers(self) -> Mapping[str, int]:
        """Of each worker that has some, how many processes with a slot had work."""
        return {uid: look.busy_metered for uid, look in self.workers.items() if look.busy_metered}

    def of(self, uid: str) -> WorkerLook:
        """Return the processes of one worker."""
        return self.workers.get(uid, _NOBODY)

    def alone_share(self, uid: str, charged: Mapping[str, float]) -> float | None:
        """Return how busy the card was with one worker, 0 to 1; None where nothing tells it.

        That is where others used the card as well, and where several processes of the worker did:
        they take turns, and the card reads as busy with each while it waits for its turn.
        ``charged`` is what each worker of the card was charged since the sample before.
        """
        own = self.of(uid)
        if not self._busy == own.busy <= 1:
            return None
        if any(share > 0 for other, share in charged.items() if other != uid):
            return None
        # The figure of the only process is that of the card, and younger by up to a second.
        told = [each.sm_percent for each in own.processes if each.sm_percent is not None]
        percent = sum(told) if told else self.sample.busy_percent
        return None if percent is None else percent / PERCENT

    def accounts_for_others(self, uid: str, charged: Mapping[str, float]) -> bool:
        """Return whether the limiter sees all that keeps the card busy beside a worker.

        Where it does not, a process is busy that holds no slot, or whose worker was charged
        nothing since the sample before.
        """
        if sum(self._busy_workers.values()) < self._busy:
            return False
        return all(charged.get(each, 0.0) > 0 for each in self._busy_workers if each != uid)


_NOBODY = WorkerLook()


def look_at(
    sample: DeviceSample,
    pods: Mapping[int, PodProcess],
    readings: Mapping[str, UseReading | None],
) -> CardLook:
    """Return who uses a card.

    ``pods`` are processes of pods by host PID, ``readings`` the pages of the workers on this card
    by UID, read *before* the sample was taken, so that a process without a slot has had none then.
    """
    slots = {uid: _slots(reading) for uid, reading in readings.items()}
    metered: dict[str, list[ProcessSample]] = {}
    unaccounted: dict[str, list[ProcessSample]] = {}
    for process in sample.processes:
        pod = pods.get(process.pid)
        if pod is None or pod.pod_uid not in slots:
            continue
        key = (pod.namespace_pid, pod.start_time)
        is_metered = key in slots[pod.pod_uid]
        if pod.is_hint and not is_metered:
            # Its own word alone would bill others, and have them blamed for it.
            continue
        group = metered if is_metered else unaccounted
        group.setdefault(pod.pod_uid, []).append(process)
    workers = {
        uid: WorkerLook(
            metered=tuple(metered.get(uid, ())), unaccounted=tuple(unaccounted.get(uid, ()))
        )
        for uid in metered.keys() | unaccounted.keys()
    }
    return CardLook(sample=sample, workers=workers)


def _slots(reading: UseReading | None) -> set[tuple[int, int]]:
    processes = reading.processes if reading is not None else ()
    return {(each.pid, each.start_time) for each in processes}


def _is_busy(process: ProcessSample) -> bool:
    return process.sm_percent is None or process.sm_percent > 0
