"""What samples of the driver mean for the workers: trim, accounts, and what is wrong.

Keeps no thread and no time of its own, and does nothing to anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoscaler.agent.accounting.card_look import CardLook, look_at
from autoscaler.agent.accounting.finding import Finding, Findings
from autoscaler.agent.accounting.inspection import Suspect, inspect, page_finding
from autoscaler.agent.devices.samples import DeviceSample
from autoscaler.agent.mapping.pod_processes import PodProcess
from autoscaler.agent.pages.dead_slots import Owner, dead_slots
from autoscaler.agent.pages.use_reading import UseReading
from autoscaler.agent.running.gpu_meter import GPUMeter, Since
from autoscaler.agent.running.kept_worker import KeptWorker
from autoscaler.agent.sharing.trim import TrimSample

Readings = Mapping[str, UseReading | None]
"""What the page of each worker said, by UID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLook:
    """One look at all GPUs, and at whose processes are on them."""

    readings: Readings
    """From before the look."""
    samples: tuple[DeviceSample, ...]
    pods: Mapping[int, PodProcess]
    """Processes of workers among those on the GPUs, by host PID."""
    alive: tuple[PodProcess, ...] | None
    """All processes of the workers; None: they were not looked for."""


class Observation:
    """Takes in one look after the other.  Not thread-safe."""

    def __init__(self) -> None:
        self._findings = Findings()

    def take(
        self, look: NodeLook, workers: Sequence[KeptWorker], *, now_s: float, monotonic_s: float
    ) -> tuple[Finding, ...]:
        """Take in a look; return what is wrong, and has been for long enough.

        ``now_s`` are UTC seconds; ``monotonic_s`` never goes back.
        """
        found = list(_page_findings(workers))
        for sample in look.samples:
            on = [kept for kept in workers if sample.uuid in kept.meters]
            if sample.problem:
                for kept in on:
                    kept.meters[sample.uuid].is_accounted = False
            elif on:
                found += _take_sample(sample, on, look, now_s)
        if look.alive is not None:
            _declare_dead(workers, look.readings, look.alive)
        return self._findings.sustained(found, monotonic_s)


def _take_sample(
    sample: DeviceSample, on: Sequence[KeptWorker], look: NodeLook, now_s: float
) -> Iterator[Finding]:
    uuid = sample.uuid
    meters = {kept.worker.uid: kept.meters[uuid] for kept in on}
    for meter in meters.values():
        meter.is_under_mps = sample.is_under_mps
    since = {uid: meter.since_sample() for uid, meter in meters.items()}
    # Who was charged nothing is left out: most workers of a node do nothing most of the time.
    charged = {
        uid: each.charged_share * meters[uid].trim_k
        for uid, each in since.items()
        if each.charged_share > 0
    }
    card = look_at(sample, look.pods, {uid: look.readings.get(uid) for uid in meters})
    for kept in on:
        uid = kept.worker.uid
        meter, own = meters[uid], since[uid]
        meter.account.observe_card(card, charged, now_s)
        meter.is_accounted = meter.is_time_shared and card.accounts_for_others(uid, charged)
        meter.busy_processes = card.of(uid).busy_metered
        meter.trim.observe(_trim_sample(uid, meter, card, own, charged))
        yield from inspect(_suspect(kept, uuid, own), card, charged)


def _trim_sample(
    uid: str, meter: GPUMeter, card: CardLook, since: Since, charged: Mapping[str, float]
) -> TrimSample | None:
    """Return what tells how wrong learned costs are; None where nothing does."""
    if since.charged_share <= 0 or not meter.is_time_shared:
        return None
    busy_share = card.alone_share(uid, charged)
    if busy_share is None:
        return None
    return TrimSample(busy_share=busy_share, charged_share=since.charged_share)


def _suspect(kept: KeptWorker, uuid: str, since: Since) -> Suspect:
    meter = kept.meters[uuid]
    return Suspect(
        uid=kept.worker.uid,
        name=kept.name,
        uuid=uuid,
        share=since.share,
        is_time_shared=meter.is_time_shared,
        slot_bytes=meter.account.slot_bytes,
        unpaid_s=since.unpaid_s,
        fell=since.fell,
    )


def _page_findings(workers: Sequence[KeptWorker]) -> Iterator[Finding]:
    for kept in workers:
        if kept.page_error is not None:
            yield page_finding(kept.worker.uid, kept.name, kept.page_error)
            kept.page_error = None


def _declare_dead(
    workers: Sequence[KeptWorker], readings: Readings, alive: Sequence[PodProcess]
) -> None:
    """Free the slots of processes that are gone, as far as the living can be told."""
    owners: dict[str, set[Owner]] = {}
    for process in alive:
        owner = Owner(process.namespace_pid, process.start_time)
        owners.setdefault(process.pod_uid, set()).add(owner)
    for kept in workers:
        reading = readings.get(kept.worker.uid)
        of_worker = owners.get(kept.worker.uid, set())
        # A pod always has a living process, its pause container if no other.  Who sees none of it
        # cannot tell the living from the dead.
        if reading is not None and of_worker:
            kept.declare_dead(dead_slots(reading, of_worker))
