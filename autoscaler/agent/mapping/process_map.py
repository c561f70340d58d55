"""Which pod each process of the node belongs to.

In order of trust: the pod in its cgroup path, the container there that a pod lists as its own, and
last what the process says of itself, which is marked as a hint.  So is the UID of a static pod,
which a pod has from an annotation.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from threading import Lock

from autoscaler.agent.mapping.cgroup_names import CgroupName
from autoscaler.agent.mapping.pod_identity import PodIdentity
from autoscaler.agent.mapping.pod_processes import PodProcess
from autoscaler.agent.mapping.process_facts import (
    PROC,
    ProcessFacts,
    facts_of,
    hint_of,
    inode_of,
    running_processes,
)

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SETTLED_S = 60.0
"""From its start on; a container runtime moves a process into its cgroup within milliseconds."""


def _boot_time_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ProcessMap:
    """Maps processes to the pods it was told of; thread-safe.  Ended processes are no error."""

    def __init__(
        self, proc: Path = PROC, *, boot_time_s: Callable[[], float] = _boot_time_s
    ) -> None:
        self._proc = proc
        self._boot_time_s = boot_time_s
        self._lock = Lock()
        self._facts: dict[int, ProcessFacts] = {}
        """Of processes that stay where they are until they end."""
        self._inodes: dict[int, int] = {}
        """Of the folders from which they were read: that of a later process with the same PID has
        another one, and to ask for it costs a tenth of reading."""
        self._by_uid: dict[str, PodIdentity] = {}
        self._by_container: dict[str, PodIdentity] = {}
        self._by_name: dict[str, list[PodIdentity]] = {}

    def know(self, pods: Iterable[PodIdentity]) -> None:
        """Map to these pods from now on."""
        pods = tuple(pods)
        by_name: dict[str, list[PodIdentity]] = {}
        for pod in pods:
            by_name.setdefault(pod.name, []).append(pod)
        with self._lock:
            self._by_uid = {uid: pod for pod in pods for uid in (pod.uid, pod.static_uid) if uid}
            self._by_container = {each: pod for pod in pods for each in pod.container_ids}
            self._by_name = by_name

    def find(self, pid: int) -> PodProcess | None:
        """Return a process of a known pod; None where it has ended, or is of no such pod."""
        with self._lock:
            return self._find(pid)

    def all_of(self, pod_uids: Collection[str]) -> tuple[PodProcess, ...]:
        """Return all processes of some known pods, hints left out.

        It looks at every process of the node, but reads only of those that it does not know yet.
        """
        with self._lock:
            running = running_processes(self._proc)
            self._facts = {pid: each for pid, each in self._facts.items() if pid in running}
            self._inodes = {pid: self._inodes[pid] for pid in self._facts}
            found = []
            for pid, inode in sorted(running.items()):
                facts = self._facts_of(pid, inode)
                pod = self._told(facts.name) if facts else None
                if facts and pod and pod.uid in pod_uids and not _is_hint(facts.name, pod):
                    found.append(_process(pid, facts, pod))
            return tuple(found)

    def _find(self, pid: int) -> PodProcess | None:
        facts = self._facts_of(pid, inode_of(pid, self._proc))
        if facts is None:
            return None
        pod = self._hinted(pid) if facts.name is None else self._told(facts.name)
        return _process(pid, facts, pod, is_hint=_is_hint(facts.name, pod)) if pod else None

    def _facts_of(self, pid: int, inode: int | None) -> ProcessFacts | None:
        """Return what is told of the process that has the PID now.

        ``inode`` is of its folder, from *before*: were it exchanged since, what is read here would
        be of the later process, and read again when that is looked for; None: it has ended.
        """
        if inode is not None and self._inodes.get(pid) == inode:
            return self._facts[pid]
        self._facts.pop(pid, None)
        self._inodes.pop(pid, None)
        if inode is None:
            return None
        facts = facts_of(pid, self._proc)
        if facts is not None and (facts.name is not None or self._is_settled(facts)):
            self._facts[pid], self._inodes[pid] = facts, inode
        return facts

    def _is_settled(self, facts: ProcessFacts) -> bool:
        """Return whether a process in no container stays there: young ones may be on their way."""
        age_s = self._boot_time_s() - facts.start_time / TICKS_PER_S
        return age_s > SETTLED_S

    def _told(self, name: CgroupName | None) -> PodIdentity | None:
        if name is None:
            return None
        if name.pod_uid:
            return self._by_uid.get(name.pod_uid)
        return self._by_container.get(name.container_id)

    def _hinted(self, pid: int) -> PodIdentity | None:
        """Return the only known pod that a process can mean."""
        hint = hint_of(pid, self._proc)
        if hint is None:
            return None
        meant = [
            pod for pod in self._by_name.get(hint.name, ()) if hint.namespace in {"", pod.namespace}
        ]
        return meant[0] if len(meant) == 1 else None


def _is_hint(name: CgroupName | None, pod: PodIdentity) -> bool:
    """Return whether a process was found by its own word, or by an annotation of the pod."""
    return name is None or (bool(name.pod_uid) and name.pod_uid != pod.uid)


def _process(
    pid: int, facts: ProcessFacts, pod: PodIdentity, *, is_hint: bool = False
) -> PodProcess:
    return PodProcess(
        pid=pid,
        start_time=facts.start_time,
        pod_uid=pod.uid,
        container_id=facts.name.container_id if facts.name else "",
        namespace_pid=facts.namespace_pid,
        is_hint=is_hint,
    )
