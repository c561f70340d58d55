"""The node agent over simulated workers: its own sharing and trim, at its own periods.

What the real one reads from pages and NVML comes from the simulation here; pages, pods and devices
are not part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autoscaler.agent.accounting.card_look import CardLook, WorkerLook
from autoscaler.agent.devices.samples import DeviceSample, ProcessSample
from autoscaler.agent.pages.progress import Progress, progress
from autoscaler.agent.pages.use_reading import GPUUse, UseReading
from autoscaler.agent.sharing.allocator import PERIOD_S, CardAllocator, CardUser
from autoscaler.agent.sharing.leftover import Leftover
from autoscaler.agent.sharing.trim import Trim, TrimSample
from tests.autoscaler.agent.simulator.scripts import MILLISECOND_NS, SECOND_NS, Tenant
from tests.autoscaler.agent.simulator.simulation import Gate, Simulation, Terms
from tests.autoscaler.agent.simulator.timeline import Timeline

UUID = "GPU-simulated"
SAMPLE_NS = 200 * MILLISECOND_NS
TOLD_NS = SECOND_NS
"""After its last look, what an agent told of neighbours counts no more."""


@dataclass(slots=True, kw_only=True)
class OwnWorker:
    """One pod under the limiter, and what the agent remembers of it."""

    pod: int
    processes: Sequence[int]
    request: float
    limit: float
    qos_rank: int
    trim: Trim = field(default_factory=Trim)
    looked: UseReading | None = None
    sampled: UseReading | None = None
    is_accounted: bool = False
    busy_processes: int = 0
    left: float | None = None
    share: float = 0.0


def add_own_workers(simulation: Simulation, tenants: Sequence[Tenant]) -> list[OwnWorker]:
    """Put one pod per tenant on the card, its limit in force before its first launch."""
    workers = []
    for tenant in tenants:
        pod = simulation.add_pod(Gate.METER)
        simulation.set_terms(pod, Terms(share=tenant.limit))
        processes = [simulation.add_process(pod, tenant.script) for _ in range(tenant.processes)]
        workers.append(
            OwnWorker(
                pod=pod,
                processes=processes,
                request=tenant.limit if tenant.request is None else tenant.request,
                limit=tenant.limit,
                qos_rank=tenant.qos_rank,
            )
        )
    return workers


class OwnAgent:
    """The agent of one card."""

    def __init__(
        self, simulation: Simulation, timeline: Timeline, workers: Sequence[OwnWorker]
    ) -> None:
        self._simulation = simulation
        self._workers = workers
        self._allocator = CardAllocator()
        self._leftover = Leftover()
        self._is_dead = False
        self._timeline = timeline
        self._strangers: list[int] = []
        timeline.every(round(PERIOD_S * SECOND_NS), self._share_out)
        timeline.every(SAMPLE_NS, self._correct_costs)

    def end(self) -> None:
        """End the agent; what it wrote stays, but what neighbours leave is not known for long."""
        self._is_dead = True
        self._timeline.at(self._simulation.now_ns + TOLD_NS, self._forget_left)

    def meet(self, process: int) -> None:
        """Let NVML show a process of no worker from now on."""
        self._strangers.append(process)

    def start_again(self) -> None:
        """Let another agent adopt what the first one left."""
        self._is_dead = False
        self._allocator = CardAllocator()
        self._leftover = Leftover()
        for worker in self._workers:
            worker.trim = Trim(worker.trim.k)
            worker.looked = worker.sampled = worker.left = None
            worker.is_accounted = False
            worker.busy_processes = 0

    def set_limit(self, number: int, limit: float) -> None:
        """Put another limit, and request, in force at once."""
        worker = self._workers[number]
        worker.request = worker.limit = limit
        self._write(worker, limit)

    def _forget_left(self) -> None:
        if not self._is_dead:
            return
        for worker in self._workers:
            worker.left = None
            self._write(worker, worker.share)

    def _share_out(self) -> None:
        if self._is_dead:
            return
        users = [self._user(number, worker) for number, worker in enumerate(self._workers)]
        shares = self._allocator.advance(users)
        left = self._leftover.advance(users, shares)
        for number, worker in enumerate(self._workers):
            worker.left = left[str(number)] if worker.is_accounted else None
            self._write(worker, shares[str(number)])

    def _user(self, number: int, worker: OwnWorker) -> CardUser:
        reading = self._read(worker)
        seen = _seen(worker.looked, reading)
        worker.looked = reading
        return CardUser(
            uid=str(number),
            request=worker.request,
            limit=worker.limit,
            qos_rank=worker.qos_rank,
            seen=seen,
            trim_k=worker.trim.k,
            processes=len(worker.processes),
            busy_processes=worker.busy_processes,
        )

    def _correct_costs(self) -> None:
        if self._is_dead:
            return
        own = [process for worker in self._workers for process in worker.processes]
        look = CardLook(
            sample=self._sample([*own, *self._strangers]),
            workers={
                str(number): WorkerLook(metered=self._sample(worker.processes).processes)
                for number, worker in enumerate(self._workers)
            },
        )
        since = [self._since_sample(worker) for worker in self._workers]
        charged = {
            str(number): seen.charged_share * worker.trim.k if seen else 0.0
            for number, (worker, seen) in enumerate(zip(self._workers, since, strict=True))
        }
        for number, (worker, seen) in enumerate(zip(self._workers, since, strict=True)):
            worker.is_accounted = look.accounts_for_others(str(number), charged)
            worker.busy_processes = look.of(str(number)).busy_metered
            busy_share = look.alone_share(str(number), charged)
            if seen is None or busy_share is None:
                worker.trim.observe(None)
            else:
                worker.trim.observe(
                    TrimSample(busy_share=busy_share, charged_share=seen.charged_share)
                )

    def _since_sample(self, worker: OwnWorker) -> Progress | None:
        reading = self._read(worker)
        seen = _seen(worker.sampled, reading)
        worker.sampled = reading
        return seen

    def _sample(self, processes: Iterable[int]) -> DeviceSample:
        """Return what NVML says of some processes; their PIDs are their numbers."""
        counts = {process: self._simulation.counts(process) for process in processes}
        return DeviceSample(
            uuid=UUID,
            monotonic_s=self._simulation.now_ns / SECOND_NS,
            processes=tuple(
                ProcessSample(
                    pid=process, uuid=UUID, sm_percent=100 * each.nvml_ratio, memory_bytes=0
                )
                for process, each in counts.items()
            ),
            busy_percent=100 * max(each.nvml_card_ratio for each in counts.values()),
        )

    def _read(self, worker: OwnWorker) -> UseReading:
        record = self._simulation.use(worker.pod)
        use = GPUUse(
            tat_ns=record.tat_ns,
            charged_ns=record.charged_ns,
            launches=record.launches,
            blocked_ns=record.blocked_ns,
            denied_allocations=record.denied_allocations,
            denied_bytes=record.denied_bytes,
            waited_ns=record.waited_ns,
        )
        return UseReading(
            monotonic_ns=self._simulation.now_ns, gpus=(use,), processes=(), unknown_symbols=0
        )

    def _write(self, worker: OwnWorker, share: float) -> None:
        worker.share = share
        terms = Terms(share=share, trim_k=worker.trim.k, left=worker.left)
        self._simulation.set_terms(worker.pod, terms)


def _seen(before: UseReading | None, after: UseReading) -> Progress | None:
    if before is None or before.monotonic_ns == after.monotonic_ns:
        return None
    return progress(before, after, 0)
