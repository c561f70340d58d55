"""A process that runs in a pod, named so that no later process can be mistaken for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PodProcess:
    """One process in a container of a pod."""

    pid: int
    """In the PID namespace of the host, as NVML counts."""
    start_time: int
    """Clock ticks from the start of the machine; with the PID it names one process for good."""
    pod_uid: str
    """With dashes, as ``metadata.uid`` spells it; a static pod's is its hash without dashes."""
    container_id: str
    """64 hexadecimal digits; empty where the kernel does not tell it."""
    namespace_pid: int
    """In its own PID namespace: what the process itself calls its PID."""
    is_hint: bool = False
    """Whether the process said itself whose it is, or an annotation that anybody may write on the
    pod: never a reason to act, nor to bill anybody."""
