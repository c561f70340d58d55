"""Which slots of a page of use belong to processes that are gone.

Processes of a pod free one another's slots only within one PID namespace; the agent sees all of
them.  Pure: who is alive, the caller says.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from autoscaler.agent.pages.use_reading import UseReading


class Owner(NamedTuple):
    """A process as its slot names it.

    Two of one pod may have the same name: in PID namespaces of their own, and started within one
    tick.  Then the slot of one is not freed before the other has ended, which is rare and harmless;
    to tell the namespaces of foreign processes apart would need a right to trace them.
    """

    pid: int
    """In its own PID namespace."""
    start_time: int
    """Clock ticks from the start of the machine."""


def dead_slots(reading: UseReading, alive: Collection[Owner]) -> dict[int, int]:
    """Return the generation of each slot whose process is not alive, by slot.

    ``alive`` are all processes of the pod, looked for *after* the page was read: one that claims a
    slot in between is not in the reading.  A slot whose process has not filled it in is left alone.
    """
    return {
        process.slot: process.generation
        for process in reading.processes
        if process.is_counted and Owner(process.pid, process.start_time) not in alive
    }
