"""The container runtime of nodes with GPUs: a process sees its GPUs, its driver and its pages.

A GPU is there for a process that names it in ``NVIDIA_VISIBLE_DEVICES``, as with the runtime of the
vendor.  There are no mounts, so that the limiter is told where its folder lies on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from autoscaler.api.injection import ROOT
from tests.cluster.kubelet_runtime import Start
from tests.cluster.node_cgroups import NodeCgroups
from tests.fakes.gpu.cards import FOLDER_VARIABLE, FakeCards

VISIBLE = "NVIDIA_VISIBLE_DEVICES"
ROOT_VARIABLE = "TF_ROOT"


class GpuRuntime:
    """The runtime of some nodes; without ``cgroups`` only ``HOSTNAME`` tells whose a process is."""

    def __init__(self, cards: Mapping[str, FakeCards], cgroups: NodeCgroups | None = None) -> None:
        """``cards`` are those of each node."""
        self._cards = cards
        self._cgroups = cgroups

    def variables(self, start: Start) -> Mapping[str, str]:
        """Return where a process finds its GPUs, their driver, and its folder of the limiter."""
        found: dict[str, str] = {}
        visible = start.environment.get(VISIBLE)
        cards = self._cards.get(start.node)
        if visible and cards is not None:
            folder = _visible(cards, visible.split(","), start.folder / "gpus")
            found |= {**cards.environment(), FOLDER_VARIABLE: str(folder)}
        if any(PurePosixPath(path).is_relative_to(ROOT) for path in start.places):
            found[ROOT_VARIABLE] = str(_root(start.places, start.folder / "root"))
        return found

    def started(self, start: Start, pid: int) -> None:
        """Put a process into a control group of its pod."""
        if self._cgroups is not None:
            self._cgroups.put(start.pod_uid, pid)

    def removed(self, pod_uid: str) -> None:
        """Remove the control groups of a pod."""
        if self._cgroups is not None:
            self._cgroups.remove(pod_uid)


def _visible(cards: FakeCards, uuids: Iterable[str], folder: Path) -> Path:
    """Make a folder with some of the cards of a node, in this order; one that is not there is not.

    Its name is made of them, so that a container that starts again on others gets another.
    """
    files = {card.uuid: cards.folder / f"card{i}" for i, card in enumerate(cards.cards)}
    chosen = [uuid for uuid in uuids if uuid in files]
    folder = folder / "_".join(chosen)
    folder.mkdir(parents=True, exist_ok=True)
    for index, uuid in enumerate(chosen):
        _link(folder / f"card{index}", files[uuid])
    return folder


def _root(places: Mapping[str, Path], folder: Path) -> Path:
    """Make a folder that holds what a container sees below the folder of the limiter."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, place in places.items():
        if PurePosixPath(path).parent == PurePosixPath(ROOT):
            _link(folder / PurePosixPath(path).name, place)
    return folder


def _link(name: Path, target: Path) -> None:
    if not os.path.lexists(name):
        name.symlink_to(target)
