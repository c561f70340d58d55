"""The agent of one node: a loop that shares and limits, and threads beside it that may take long.

Limits do not depend on it: the limiter in each process keeps what is in force while no agent runs.
The agent itself lives through the loss of the driver and of the API server; both are told by
``problems``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.agent.running.enforcing import Enforcement
from autoscaler.agent.running.looking import Looking, Order
from autoscaler.agent.running.observing import NodeLook, Observation
from autoscaler.agent.running.roster import Roster
from autoscaler.agent.running.snapshot import AgentSnapshot, GPUReading
from autoscaler.agent.running.turn_counts import Loop, TurnCounts
from autoscaler.agent.sharing.allocator import PERIOD_S

if TYPE_CHECKING:
    from autoscaler.agent.accounting.finding import Finding
    from autoscaler.agent.devices.device import Device
    from autoscaler.agent.devices.node_devices import Inventory, NodeDevices
    from autoscaler.agent.devices.samples import DeviceSample
    from autoscaler.agent.mapping.pod_processes import PodProcess
    from autoscaler.agent.mapping.process_map import ProcessMap
    from autoscaler.agent.running.inventory import InventoryLoop
    from autoscaler.agent.running.limits import LimitRules
    from autoscaler.agent.running.roster import WorkerSource

LEAST_PERIOD_S = 0.02
"""Between two turns, however many changes come: what happened in between must be worth a look."""
LOOK_EVERY_S = 0.2
"""NVML has new figures of processes about so often.  The turn that orders a look is a whole one, so
that a process without a slot in the look's pages had none then."""
ALIVE_EVERY_S = 2.0
"""Between two looks at all processes of the workers, for slots of those that are gone."""
STUCK_S = 60.0
"""A turn takes milliseconds."""
STOP_S = 2.0
_log = logging.getLogger(__name__)

Act = Callable[["Sequence[Finding]", "Mapping[int, PodProcess]", "frozenset[str]", float], None]
"""Takes sustained findings, processes of workers on the GPUs by host PID, the UIDs of the workers,
and monotonic seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentParts:
    """What the agent works with."""

    source: WorkerSource
    devices: NodeDevices
    processes: ProcessMap
    inventory: InventoryLoop
    act: Act


class NodeAgent:
    """``run`` is for one thread; the rest is thread-safe."""

    def __init__(
        self,
        node: str,
        parts: AgentParts,
        rules: LimitRules,
        *,
        counts: TurnCounts,
        time_s: Callable[[], float] = time.time,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._node = node
        self._parts = parts
        self._counts = counts
        self._time_s = time_s
        self._monotonic_ns = monotonic_ns
        self._enforcement = Enforcement(rules, counts)
        self._observation = Observation()
        self._looking = Looking(parts.devices, parts.processes, counts)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._roster = Roster()
        self._known: frozenset[object] = frozenset()
        self._samples: Mapping[str, DeviceSample] = {}
        self._sampled_s: float | None = None
        self._inventory: Inventory | None = None
        self._devices: Mapping[str, Device] = {}
        """Those that are or were there: workers keep their limits on a lost one."""
        self._whole_s = self._alive_s = float("-inf")
        self._turned_s: float | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; the pages of workers stay as they are."""
        parts = self._parts
        parts.inventory.look()
        parts.source.start(self._wake.set)
        self._looking.start()
        parts.inventory.start()
        try:
            while not stop.is_set():
                begin_s = self._now_s()
                self._try_turn()
                self._wake.wait(max(begin_s + PERIOD_S - self._now_s(), 0.0))
                rest_s = begin_s + LEAST_PERIOD_S - self._now_s()
                if rest_s > 0:
                    stop.wait(rest_s)
                self._wake.clear()
        finally:
            parts.inventory.stop(STOP_S)
            parts.source.stop()
            self._looking.stop(STOP_S)
            with self._lock:
                self._enforcement.close()
            parts.devices.close()

    def problems(self) -> Sequence[str]:
        """Return why workers are not served as they should be."""
        if self._turned_s is None:
            return ("workers and GPUs were not looked at yet",)
        parts = self._parts
        return (*parts.source.problems(), *parts.inventory.problems())

    def stuck(self) -> Sequence[str]:
        """Return what only a restart helps against."""
        if self._turned_s is None or self._now_s() - self._turned_s < STUCK_S:
            return ()
        return (f"the limits of workers were not looked at for {STUCK_S:g} s",)

    def snapshot(self) -> AgentSnapshot:
        """Return what is to be shown of this moment."""
        with self._lock:
            now_s = self._time_s()
            workers = self._enforcement.workers
            of_workers = {
                uuid: meter.device for kept in workers for uuid, meter in kept.meters.items()
            }
            return AgentSnapshot(
                node=self._node,
                gpus=tuple(
                    GPUReading(
                        device=device,
                        sample=self._samples.get(device.uuid),
                        granted_share=self._enforcement.granted_share(device.uuid),
                    )
                    for device in {**of_workers, **self._devices}.values()
                ),
                uses=tuple(
                    meter.account.shown(
                        kept.worker, self._enforcement.share_of(kept, uuid), meter.trim_k, now_s
                    )
                    for kept in workers
                    for uuid, meter in kept.meters.items()
                ),
                workers=len(workers),
                unserved={
                    **self._roster.unserved,
                    **{kept.name: kept.refusal for kept in workers if kept.refusal},
                },
                sampled_s=self._sampled_s,
                counts=self._counts.snapshot(),
            )

    def _try_turn(self) -> None:
        try:
            with self._lock:
                findings, look = self._turn()
            if look is not None:
                served = frozenset(each.worker.uid for each in self._roster.served)
                self._parts.act(findings, look.pods, served, self._now_s())
        except Exception:  # noqa: BLE001 - ended, it would leave limits as they are for good
            _log.exception("a turn failed")
            self._counts.failed(Loop.CONTROL)

    def _turn(self) -> tuple[Sequence[Finding], NodeLook | None]:
        now_ns, now_s = self._monotonic_ns(), self._time_s()
        is_whole = now_ns / 1e9 - self._whole_s >= LOOK_EVERY_S
        self._look_for_devices()
        self._look_for_workers()
        self._enforcement.turn(
            self._roster.served, self._devices, now_ns=now_ns, now_s=now_s, is_whole=is_whole
        )
        findings: Sequence[Finding] = ()
        look = self._looking.pick_up()
        if look is not None:
            findings = self._take_look(look, now_s)
        if is_whole:
            self._whole_s = now_ns / 1e9
            self._order_look()
        self._turned_s = self._now_s()
        return findings, look

    def _take_look(self, look: NodeLook, now_s: float) -> Sequence[Finding]:
        self._samples = {sample.uuid: sample for sample in look.samples}
        if any(not sample.problem for sample in look.samples):
            self._sampled_s = now_s
        workers = self._enforcement.workers
        return self._observation.take(look, workers, now_s=now_s, monotonic_s=self._now_s())

    def _order_look(self) -> None:
        """Order the next look at the GPUs, where none is being made."""
        if self._looking.is_ordered:
            return
        now_s = self._now_s()
        has_alive = now_s - self._alive_s >= ALIVE_EVERY_S
        self._alive_s = now_s if has_alive else self._alive_s
        readings = {kept.worker.uid: kept.reading for kept in self._enforcement.workers}
        self._looking.order(Order(readings=readings, has_alive=has_alive))

    def _look_for_workers(self) -> None:
        """See who is to be served, and tell whose processes to look for, where that has changed."""
        roster = self._parts.source.roster(self._devices)
        if roster is self._roster:
            return
        self._roster = roster
        identities = frozenset(each.identity for each in roster.served)
        if identities != self._known:
            self._known = identities
            self._parts.processes.know(each.identity for each in roster.served)

    def _look_for_devices(self) -> None:
        inventory = self._parts.devices.inventory
        if inventory is not self._inventory:
            self._inventory = inventory
            devices = {each.uuid: each for each in (*inventory.devices, *inventory.lost)}
            if devices != self._devices:
                self._devices = devices

    def _now_s(self) -> float:
        return self._monotonic_ns() / 1e9
