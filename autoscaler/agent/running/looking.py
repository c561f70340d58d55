"""Asks the driver on a thread of its own: it may take long, and limits must not wait for it.

A look is ordered with what the pages of use said before it, and is picked up when it is there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from autoscaler.agent.running.observing import NodeLook, Readings
from autoscaler.agent.running.turn_counts import Loop, TurnCounts

if TYPE_CHECKING:
    from autoscaler.agent.devices.node_devices import NodeDevices
    from autoscaler.agent.mapping.pod_processes import PodProcess
    from autoscaler.agent.mapping.process_map import ProcessMap

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One look that is wanted."""

    readings: Readings
    has_alive: bool
    """Whether all living processes of the workers are looked for too, which costs more."""


class Looking:
    """One look at a time; ``order`` and ``pick_up`` are for one thread."""

    def __init__(self, devices: NodeDevices, processes: ProcessMap, counts: TurnCounts) -> None:
        self._devices = devices
        self._processes = processes
        self._counts = counts
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._looks: SimpleQueue[NodeLook | None] = SimpleQueue()
        self._is_ordered = False
        self._thread = threading.Thread(target=self._run, name="looking", daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the look in hand; one that hangs in the driver ends with the process."""
        self._orders.put(None)
        self._thread.join(timeout_s)

    @property
    def is_ordered(self) -> bool:
        """Return whether a look is being made, or waits to be picked up."""
        return self._is_ordered

    def order(self, order: Order) -> None:
        """Ask for a look, while none is ordered."""
        assert not self._is_ordered, "one look at a time"
        self._is_ordered = True
        self._orders.put(order)

    def pick_up(self) -> NodeLook | None:
        """Return the look that was ordered; None where it is not there, or failed."""
        try:
            look = self._looks.get_nowait()
        except Empty:
            return None
        self._is_ordered = False
        return look

    def _run(self) -> None:
        while True:
            order = self._orders.get()
            if order is None:
                return
            try:
                self._looks.put(self._look(order))
            except Exception:  # noqa: BLE001 - ended, it would leave workers unwatched
                _log.exception("a look at the GPUs failed")
                self._counts.failed(Loop.SAMPLING)
                self._looks.put(None)

    def _look(self, order: Order) -> NodeLook:
        samples = self._devices.sample()
        pids = {process.pid for sample in samples for process in sample.processes}
        return NodeLook(
            readings=order.readings,
            samples=samples,
            pods=self._pods(pids),
            alive=self._processes.all_of(order.readings.keys()) if order.has_alive else None,
        )

    def _pods(self, pids: set[int]) -> Mapping[int, PodProcess]:
        found = ((pid, self._processes.find(pid)) for pid in pids)
        return {pid: process for pid, process in found if process is not None}
