"""What happens beside the programs of a simulation: samples, control periods, changes of limits."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from tests.autoscaler.agent.simulator.simulation import Simulation


class Timeline:
    """Calls at their times, the programs of a simulation running in between."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._calls: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, at_ns: int, call: Callable[[], None]) -> None:
        """Call once."""
        heapq.heappush(self._calls, (at_ns, next(self._order), call))

    def every(self, period_ns: int, call: Callable[[], None]) -> None:
        """Call at the end of each period from now on."""
        self._again(self._simulation.now_ns + period_ns, period_ns, call)

    def run_until(self, until_ns: int) -> None:
        """Let time pass; calls of that very time are made too, in the order of their setting."""
        while self._calls and self._calls[0][0] <= until_ns:
            at_ns, _, call = heapq.heappop(self._calls)
            self._simulation.run_until(at_ns)
            call()
        self._simulation.run_until(until_ns)

    def _again(self, at_ns: int, period_ns: int, call: Callable[[], None]) -> None:
        def called() -> None:
            self._again(at_ns + period_ns, period_ns, call)
            call()

        self.at(at_ns, called)
