"""Control groups of pods, as a kubelet and a container runtime name them on a node.

They limit nothing: they tell an agent which pod a process is of, in a way that the process cannot
change.  Only a machine whose second hierarchy may be written has them.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Self

from tests.components.processes import until

UNIFIED = "0::"
MOUNTED = re.compile(r"^\S+ \S+ \S+ / (?P<place>\S+) .* - cgroup2 ", re.MULTILINE)
CONTAINER_ID_BYTES = 32


class NodeCgroups:
    """Control groups of the pods of some nodes, below one of their own; removed at the end."""

    def __init__(self, parent: Path) -> None:
        """``parent`` is the folder of a control group that may be written."""
        self._root = parent / f"kubepods-of-tests-{os.getpid()}-{token_hex(4)}"
        self._root.mkdir()

    @property
    def name(self) -> str:
        """Return the name that the paths of all its processes run through."""
        return self._root.name

    def put(self, pod_uid: str, pid: int) -> None:
        """Put a process into a container of its own of a pod; a process that has ended is fine."""
        container = self._pod(pod_uid) / token_hex(CONTAINER_ID_BYTES)
        container.mkdir(parents=True)
        with suppress(ProcessLookupError):
            (container / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def remove(self, pod_uid: str) -> None:
        """Remove the control groups of a pod whose processes have ended."""
        pod = self._pod(pod_uid)
        for container in _within(pod):
            _remove(container)
        if pod.exists():
            _remove(pod)

    def close(self) -> None:
        """Remove all; no process is in them any more."""
        for pod in _within(self._root):
            self.remove(pod.name.removeprefix("pod"))
        _remove(self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _pod(self, uid: str) -> Path:
        return self._root / f"pod{uid}"


def own_cgroup() -> Path | None:
    """Return the folder of this process in the second hierarchy; None where it is not to write."""
    mounted = MOUNTED.search(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    path = next((line.removeprefix(UNIFIED) for line in lines if line.startswith(UNIFIED)), None)
    if mounted is None or path is None:
        return None
    folder = Path(mounted["place"] + path)
    return folder if os.access(folder / "cgroup.procs", os.W_OK) else None


def _within(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.is_dir()] if folder.exists() else []


def _remove(folder: Path) -> None:
    """Remove a control group; the kernel keeps it for some moments after its last process."""

    def is_removed() -> bool:
        try:
            folder.rmdir()
        except OSError:
            return False
        return True

    until(is_removed, what=f"nothing runs in {folder}")
