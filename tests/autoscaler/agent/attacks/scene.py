"""A node with one GPU whose workers may write what they like into their pages of use.

Pages, sharing, trim, accounting and findings are the agent's own.  An honest worker charges what
its limiter would let it use; the driver's figures are as measured: beside work of others it reads
every process as busy, alone as busy as the GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autoscaler.agent.accounting.finding import FindingKind
from autoscaler.agent.devices.samples import ProcessSample
from autoscaler.agent.mapping.pod_processes import PodProcess
from autoscaler.agent.pages.abi import Use
from autoscaler.agent.running.enforcing import Enforcement
from autoscaler.agent.running.limits import LimitRules
from autoscaler.agent.running.observing import NodeLook, Observation
from autoscaler.agent.running.roster import Served
from autoscaler.agent.running.turn_counts import TurnCounts
from tests.autoscaler.agent.pages.pages import claim, use_page
from tests.autoscaler.agent.running.moments import GIB, UUID, device, sample
from tests.autoscaler.agent.running.roster_double import NS, Pods

TURN_S = 0.1
TURNS_OF_A_LOOK = 2
TFLOPS = 312.0
START_TIME = 100


@dataclass(slots=True, kw_only=True)
class Tenant:
    """One worker: what it wants of the GPU, and what it does to its page in each turn."""

    served: Served
    pid: int
    """Of its one process, on the host and in its own PID namespace."""
    wanted: float
    attack: Callable[[Use, int], None] = lambda page, now_ns: None
    spoil: Callable[[Path, int], None] | None = None
    """Puts something else where the page is, in place of what the limiter writes."""
    is_limited: bool = True
    """False: its process runs beside the limiter, and charges nothing."""
    memory_bytes: int = GIB
    """By the driver."""
    used: float = 0.0
    charged_ns: int = 0

    @property
    def uid(self) -> str:
        return self.served.worker.uid


class Scene:
    """Time passes in ``run`` only."""

    def __init__(self, folder, **device_changes):
        self.pods = Pods(folder)
        self.devices = {UUID: device(**device_changes)}
        self.enforcement = Enforcement(LimitRules(), TurnCounts())
        self.observation = Observation()
        self.tenants: list[Tenant] = []
        self.now_ns = 50 * NS
        self.found: list[tuple[float, FindingKind, str]] = []
        """Seconds since the attack began, and the worker's UID, of every finding."""
        self._began_ns = self.now_ns

    def tenant(self, *, wanted, request=0.25, limit=0.5, qos="medium", **changes) -> Tenant:
        """Add a worker whose process holds a slot and 1 GiB."""
        served = self.pods.served(
            len(self.tenants),
            tflops_request=request * TFLOPS,
            tflops_limit=limit * TFLOPS,
            qos=qos,
        )
        made = Tenant(served=served, pid=1000 + len(self.tenants), wanted=wanted, **changes)
        page = self.pods.uses[made.uid] = use_page()
        page.slots_used = 1
        claim(
            page,
            0,
            pid=made.pid,
            start_time=START_TIME,
            memory_bytes=[GIB],
        )
        self.tenants.append(made)
        return made

    def page(self, tenant: Tenant) -> Use:
        return self.pods.uses[tenant.uid]

    def share(self, tenant: Tenant) -> float:
        """Return the share that is on the control page."""
        return self.pods.share(tenant.served)

    def shown(self, tenant: Tenant):
        """Return what the exporter shows."""
        kept = self._kept(tenant)
        meter, share = kept.meters[UUID], self.enforcement.share_of(kept, UUID)
        return meter.account.shown(kept.worker, share, meter.trim_k, self.now_ns / NS)

    def trim_k(self, tenant: Tenant) -> float:
        return self.shown(tenant).trim_ratio

    def begin_attack(self) -> None:
        """Count seconds and findings from now on."""
        self.found.clear()
        self._began_ns = self.now_ns

    def run(self, seconds: float) -> None:
        for turn in range(round(seconds / TURN_S)):
            self._turn()
            if turn % TURNS_OF_A_LOOK == 1:
                self._look()

    def kinds(self, tenant: Tenant) -> set[FindingKind]:
        return {kind for _, kind, uid in self.found if uid == tenant.uid}

    def found_after_s(self, tenant: Tenant, kind: FindingKind) -> float:
        """Return after how many seconds a thing was found first; infinite: never."""
        times = (at_s for at_s, found, uid in self.found if (found, uid) == (kind, tenant.uid))
        return min(times, default=float("inf"))

    def _kept(self, tenant: Tenant):
        """Return what the agent keeps of a worker; None before its first turn."""
        kept = (each for each in self.enforcement.workers if each.worker.uid == tenant.uid)
        return next(kept, None)

    def _turn(self) -> None:
        self.now_ns += round(TURN_S * NS)
        for tenant in self.tenants:
            self._use(tenant)
        served = tuple(tenant.served for tenant in self.tenants)
        self.enforcement.turn(served, self.devices, now_ns=self.now_ns, now_s=self.now_ns / NS)

    def _use(self, tenant: Tenant) -> None:
        page = self.page(tenant)
        kept = self._kept(tenant)
        share = self.enforcement.share_of(kept, UUID) if kept else tenant.wanted
        tenant.used = min(tenant.wanted, share) if tenant.is_limited else tenant.wanted
        if tenant.is_limited:
            gpu = page.gpu[0]
            gpu.charged_ns += int(tenant.used * TURN_S * NS)
            gpu.launches += 10
            gpu.blocked_ns += int(TURN_S * NS) if tenant.wanted > share else 0
            gpu.tat_ns = self.now_ns
        tenant.attack(page, self.now_ns)
        if tenant.spoil is None:
            self.pods.write(tenant.served)
        else:
            tenant.spoil(tenant.served.folders.use / "use", self.now_ns)

    def _look(self) -> None:
        busy = min(sum(tenant.used for tenant in self.tenants), 1.0)
        is_shared = sum(tenant.used > 0 for tenant in self.tenants) > 1
        processes = tuple(
            ProcessSample(
                pid=tenant.pid,
                uuid=UUID,
                sm_percent=(99.0 if is_shared else 100.0 * busy) if tenant.used > 0 else 0.0,
                memory_bytes=tenant.memory_bytes,
            )
            for tenant in self.tenants
        )
        look = NodeLook(
            readings={kept.worker.uid: kept.reading for kept in self.enforcement.workers},
            samples=(sample(busy_percent=100.0 * busy, processes=processes),),
            pods={tenant.pid: _pod_process(tenant) for tenant in self.tenants},
            alive=tuple(_pod_process(tenant) for tenant in self.tenants),
        )
        findings = self.observation.take(
            look,
            self.enforcement.workers,
            now_s=self.now_ns / NS,
            monotonic_s=self.now_ns / NS,
        )
        since_s = (self.now_ns - self._began_ns) / NS
        self.found += [(since_s, each.kind, each.uid) for each in findings]


def _pod_process(tenant: Tenant) -> PodProcess:
    return PodProcess(
        pid=tenant.pid,
        start_time=START_TIME,
        pod_uid=tenant.uid,
        container_id="",
        namespace_pid=tenant.pid,
    )
