"""What a container runtime adds around the processes of a pod; a plain one adds nothing.

``gpu_runtime`` is the one of nodes with GPUs.  Starting and ending of processes is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of one container."""

    pod_uid: str
    node: str
    folder: Path
    """Of the pod on this machine; what is put there goes with the pod."""
    environment: Mapping[str, str]
    """As the pod states it."""
    places: Mapping[str, Path]
    """Mount path to the folder on this machine."""


class Runtime(Protocol):
    """Its methods are called in the kubelet's thread."""

    def variables(self, start: Start) -> Mapping[str, str]:
        """Return what the process finds in its environment beyond what the pod states."""
        ...

    def started(self, start: Start, pid: int) -> None:
        """Take in a process that has just begun."""
        ...

    def removed(self, pod_uid: str) -> None:
        """Forget a pod; nothing of it runs any more."""
        ...


class PlainRuntime:
    """A runtime of nodes without anything special."""

    def variables(self, _start: Start) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    def started(self, _start: Start, _pid: int) -> None:
        """Do nothing."""

    def removed(self, _pod_uid: str) -> None:
        """Do nothing."""
