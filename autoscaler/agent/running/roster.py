"""Which workers the agent serves, and where that comes from, as a protocol.

``pod_workers`` reads them from pods, ``file_workers`` from the file of a plain host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from autoscaler.agent.mapping.pod_identity import PodIdentity
from autoscaler.agent.pages.folders import PageFolders
from autoscaler.agent.workers.worker import Card, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A worker that is served."""

    worker: Worker
    folders: PageFolders
    identity: PodIdentity
    """By which its processes are told."""
    seen_ns: int
    """When this was in force first, as the agent saw it: CLOCK_MONOTONIC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The workers of one moment."""

    served: tuple[Served, ...] = ()
    unserved: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """``namespace/name`` to the reason."""


class WorkerSource(Protocol):
    """Where workers are read; thread-safe."""

    def start(self, on_change: Callable[[], None]) -> None:
        """Begin; ``on_change`` is called, from any thread, when a new roster may differ."""
        ...

    def stop(self) -> None:
        """End within about a second."""
        ...

    def problems(self) -> Sequence[str]:
        """Return why the roster cannot be relied on; nothing: it can."""
        ...

    def roster(self, cards: Mapping[str, Card]) -> Roster:
        """Return the workers on these GPUs, by UUID; the one before where nothing changed."""
        ...
