"""What the kubelet gave away, from whichever of its two places answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autoscaler.agent.pod_resources import checkpoint, kubelet
from autoscaler.agent.pod_resources.allocation import Allocation, PodResourcesError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeGpus:
    """One reading."""

    allocations: tuple[Allocation, ...] = ()
    problem: str = ""
    """Why nothing is known; then nothing follows from an empty list."""


class WholeGpuReader:
    """Asks the kubelet, and reads its file where it does not answer; one thread at a time."""

    def __init__(self, *, socket: Path, checkpoint_file: Path) -> None:
        self._sources: tuple[Callable[[], tuple[Allocation, ...]], ...] = (
            lambda: kubelet.ask_kubelet(socket),
            lambda: checkpoint.read_checkpoint(checkpoint_file),
        )
        self._told = ""
        """The problem that was logged last, so that it is logged once."""

    def read(self) -> WholeGpus:
        """Return what containers of this node have; a kubelet that tells nothing is no error."""
        problems: list[str] = []
        for source in self._sources:
            try:
                allocations = source()
            except PodResourcesError as error:
                problems.append(str(error))
                continue
            self._tell(problems)
            return WholeGpus(allocations=allocations)
        self._tell(problems)
        return WholeGpus(problem="; ".join(problems))

    def _tell(self, problems: list[str]) -> None:
        text = "; ".join(problems)
        if text and text != self._told:
            _log.warning("%s", text)
        self._told = text
