"""Looks for GPUs again and again, and tells the cluster of them, on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from autoscaler.agent.running.turn_counts import Loop, TurnCounts
from autoscaler.errors import AutoscalerError

if TYPE_CHECKING:
    from autoscaler.agent.devices.node_devices import Inventory, NodeDevices

RETRY_S = 5.0
"""After a look whose telling failed."""
_log = logging.getLogger(__name__)

Tell = Callable[["Inventory"], None]
"""Tells of what was found; raises an ``AutoscalerError`` where that is to be tried again."""


class InventoryLoop:
    """``start`` and ``stop`` are for one thread; the rest is thread-safe."""

    def __init__(
        self, devices: NodeDevices, tell: Tell, counts: TurnCounts, *, period_s: float
    ) -> None:
        self._devices = devices
        self._tell = tell
        self._counts = counts
        self._period_s = period_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inventory", daemon=True)
        self._untold = "GPUs were not told of yet"

    def start(self) -> None:
        """Tell of what was found, and look again after each period."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the look in hand."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def look(self) -> None:
        """Look for GPUs now, and tell nobody yet."""
        self._devices.discover()

    def problems(self) -> Sequence[str]:
        """Return which GPUs cannot be used, and what of them could not be told."""
        untold = (self._untold,) if self._untold else ()
        return (*self._devices.inventory.problems, *untold)

    def _run(self) -> None:
        pause_s = self._told()
        while not self._stop.wait(pause_s):
            try:
                self._devices.discover()
                pause_s = self._told()
            except Exception:  # noqa: BLE001 - ended, it would find no GPU any more
                _log.exception("a look for GPUs failed")
                self._counts.failed(Loop.INVENTORY)

    def _told(self) -> float:
        """Tell of what was found; return the pause until the next look."""
        try:
            self._tell(self._devices.inventory)
        except AutoscalerError as error:
            self._failed(str(error))
            return min(RETRY_S, self._period_s)
        self._untold = ""
        return self._period_s

    def _failed(self, problem: str) -> None:
        self._counts.failed(Loop.INVENTORY)
        if problem != self._untold:
            _log.warning("%s; again in %g s at most", problem, RETRY_S)
        self._untold = problem
