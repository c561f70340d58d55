"""Ends one process of a pod, and never a later one that got its PID."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from autoscaler.agent.mapping.process_facts import PROC, start_time_of
from autoscaler.errors import AutoscalerError


class KillError(AutoscalerError):
    """A process cannot be ended."""


def kill(pid: int, start_time: int, proc: Path = PROC) -> bool:
    """Send SIGKILL to the process of this host PID and start time, in clock ticks.

    Returns False where it has ended, whoever has its PID now.  Raises ``KillError``.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except OSError as error:
        raise KillError(f"process {pid}: {os.strerror(error.errno or 0)}") from error
    try:
        # The descriptor names one process for good; only then does its start time prove anything.
        if start_time_of(pid, proc) != start_time:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return False
    except OSError as error:
        raise KillError(f"process {pid}: {os.strerror(error.errno or 0)}") from error
    finally:
        os.close(descriptor)
    return True
