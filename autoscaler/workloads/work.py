"""What the controller's queue holds: one key per object that is to be looked at."""

from __future__ import annotations

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
