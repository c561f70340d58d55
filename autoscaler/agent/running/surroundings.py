"""Where the agent runs, as a protocol: on a node of a cluster, or on a plain host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from autoscaler.agent.running.file_workers import FileWorkers

if TYPE_CHECKING:
    from autoscaler.agent.accounting.finding import Finding
    from autoscaler.agent.devices.node_devices import Inventory
    from autoscaler.agent.running.roster import WorkerSource
    from autoscaler.kube.event_recorder import EventCounts
    from autoscaler.kube.reflector import CacheCounts
    from autoscaler.kube.write_budget import WriteBudgetSnapshot


class Surroundings(Protocol):
    """What the agent asks and tells; thread-safe."""

    @property
    def workers(self) -> WorkerSource:
        """Return where workers are read."""
        ...

    @property
    def caches(self) -> Callable[[], tuple[CacheCounts, ...]] | None:
        """Return what gives the numbers of the caches of a cluster."""
        ...

    @property
    def budget(self) -> Callable[[], WriteBudgetSnapshot] | None:
        """Return what gives the numbers of the writes to a cluster."""
        ...

    @property
    def events(self) -> Callable[[], EventCounts] | None:
        """Return what gives the numbers of the events."""
        ...

    def start(self) -> None:
        """Begin; once."""
        ...

    def stop(self) -> None:
        """End within some seconds."""
        ...

    def tell_gpus(self, inventory: Inventory) -> None:
        """Tell which GPUs there are.  Raises an ``AutoscalerError`` to be asked again."""
        ...

    def tell_finding(self, finding: Finding) -> None:
        """Tell what is wrong with a worker; returns at once."""
        ...

    def evict(self, uid: str) -> None:
        """Have a worker evicted; returns at once."""
        ...


class PlainHost:
    """A host without Kubernetes: a file states the workers, and the log is told everything."""

    def __init__(self, file: Path) -> None:
        """Read workers from a file.  Raises ``InputError`` for one that no host could use."""
        self.workers = FileWorkers(file)
        self.workers.check()
        self.caches = self.budget = self.events = None

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def tell_gpus(self, _inventory: Inventory) -> None:
        """Do nothing: who asks sees them in ``tfa agent top``."""

    def tell_finding(self, _finding: Finding) -> None:
        """Do nothing: the log has it."""

    def evict(self, uid: str) -> None:
        """Refuse, as the command does before: nobody would place the worker elsewhere."""
        raise AssertionError(f"worker {uid}: a plain host evicts nobody")
