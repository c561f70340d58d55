"""What the controller's queue holds: one key per object that is to be looked at."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, Protocol

from autoscaler.kube.lanes import Priority


class WorkKind(StrEnum):
    """What is reconciled."""

    POD = "pod"
    """A gated pod, to be placed."""
    WORKLOAD = "workload"
    """A TensorFusionWorkload: the object, its workers' amounts, its worker pods, its status."""
    GPU = "gpu"
    """A GPU's pool label and status."""
    POOL = "pool"
    """A pool's status."""
    QUOTA = "quota"
    """A quota's status."""
    CONNECTION = "connection"
    """A client and the worker that serves it."""


class WorkKey(NamedTuple):
    """One object to be looked at."""

    kind: WorkKind
    namespace: str
    """Empty for kinds without."""
    name: str


class Work(Protocol):
    """Where reconcilers ask for further work; ``WorkQueue[WorkKey]`` is one."""

    def add(self, key: WorkKey, priority: Priority) -> None:
        """Let a key be looked at soon."""
        ...

    def add_after(self, key: WorkKey, delay_s: float, priority: Priority) -> None:
        """Let a key be looked at later; of several delays the shortest counts."""
        ...


class LeadersWork:
    """Work of a process that leads, or has led: whoever begins to lead looks at everything.

    A standby would only gather keys, in the end of objects that are long gone.
    """

    def __init__(self, work: Work, *, is_leader: Callable[[], bool]) -> None:
        self._work = work
        self._is_leader = is_leader
        self._has_led = False

    def add(self, key: WorkKey, priority: Priority) -> None:
        """Let a key be looked at soon."""
        if self._is_wanted():
            self._work.add(key, priority)

    def add_after(self, key: WorkKey, delay_s: float, priority: Priority) -> None:
        """Let a key be looked at later; of several delays the shortest counts."""
        if self._is_wanted():
            self._work.add_after(key, delay_s, priority)

    def _is_wanted(self) -> bool:
        self._has_led = self._has_led or self._is_leader()
        return self._has_led
