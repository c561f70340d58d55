"""What the kernel tells of one process under ``/proc``.

A process may end at any moment, and its PID come to another one: what is read is of one process
only if its start time was the same before and after.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from autoscaler.agent.mapping.cgroup_names import CgroupName, name_of

PROC = Path("/proc")
LONGEST_BYTES = 2**17
"""Of what is read: the longest environment there can be has more, and then is cut."""
_FIELDS_AFTER_NAME = 2
_START_TIME_FIELD = 22
_NAMESPACE_PIDS = re.compile(r"^NSpid:[ \t]+(?P<pids>[\d \t]+)$", re.MULTILINE)
_HINTS = ("POD_NAMESPACE", "POD_NAME", "HOSTNAME")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """One process that was alive."""

    start_time: int
    """Clock ticks from the start of the machine."""
    name: CgroupName | None
    """What its cgroup says; None: it is in no container."""
    namespace_pid: int
    """In its own PID namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodHint:
    """What a process says of itself in its environment; anybody may write anything there."""

    namespace: str
    name: str
    """Of the pod."""


def start_time_of(pid: int, proc: Path = PROC) -> int | None:
    """Return when a process started, in clock ticks; None where it has ended."""
    text = _read(f"{proc}/{pid}/stat")
    if text is None:
        return None
    # The name stands in brackets, and may itself hold blanks and brackets.
    fields = text.rpartition(")")[2].split()
    return int(fields[_START_TIME_FIELD - _FIELDS_AFTER_NAME - 1])


def facts_of(pid: int, proc: Path = PROC) -> ProcessFacts | None:
    """Return what is told of a process; None where it has ended."""
    start_time = start_time_of(pid, proc)
    folder = proc / str(pid)
    cgroup, status = _read(folder / "cgroup"), _read(folder / "status")
    if start_time is None or cgroup is None or status is None:
        return None
    found = _NAMESPACE_PIDS.search(status)
    facts = ProcessFacts(
        start_time=start_time,
        name=name_of(cgroup),
        namespace_pid=int(found["pids"].split()[-1]) if found else pid,
    )
    return facts if start_time_of(pid, proc) == start_time else None


def hint_of(pid: int, proc: Path = PROC) -> PodHint | None:
    """Return what a process says of its pod; None where it says nothing or may not be asked."""
    text = _read(proc / str(pid) / "environ")
    pairs = (pair.partition("=") for pair in (text or "").split("\0"))
    said = {name: value for name, _, value in pairs if name in _HINTS}
    name = said.get("POD_NAME") or said.get("HOSTNAME")
    return PodHint(namespace=said.get("POD_NAMESPACE", ""), name=name) if name else None


def inode_of(pid: int, proc: Path = PROC) -> int | None:
    """Return the inode of a process's folder, as ``running_processes`` does; None: it has ended."""
    try:
        return os.stat(f"{proc}/{pid}").st_ino  # noqa: PTH116 - pathlib would take twice as long
    except OSError:
        return None


def running_processes(proc: Path = PROC) -> dict[int, int]:
    """Return all processes of this PID namespace: PID to inode of its folder.

    A process that gets the PID of an ended one has a folder with another inode.
    """
    with os.scandir(proc) as entries:
        return {int(each.name): each.inode() for each in entries if each.name.isdecimal()}


def _read(file: Path | str) -> str | None:
    # One read gives all of such a file; pathlib would take three times as long for it.
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, LONGEST_BYTES).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
    except OSError:
        # The process has ended, at times while its file is read, or the right is missing.
        return None
