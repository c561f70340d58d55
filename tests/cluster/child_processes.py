"""Processes of the cluster tests: they can be paused, and end with the test run however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.components.processes import STOP_DEADLINE_S, RunningServer

PASSED_ON = ("PATH", "LANG", "TZ", "TMPDIR")
"""All that a process gets of the environment of the tests: no proxy, no kubeconfig."""


class ChildProcess(RunningServer):
    """A server process that can be stopped by a signal and go on, and be started anew."""

    def __init__(
        self, url: str, start: Callable[[], subprocess.Popen[bytes]], log_file: Path
    ) -> None:
        super().__init__(url, start(), log_file)
        self._start = start
        self.log_file = log_file

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Return whether it ended, without taking the exit code: its number is not used again."""
        if self._process.returncode is not None:
            return True
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, look) is not None

    def wait_and_clear(self) -> int:
        """Wait for its end, end what it has started and return the code, negative for a signal."""
        if self._process.returncode is None:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def pause(self) -> None:
        """Let it neither run nor answer from now on; its sockets stay open."""
        self._process.send_signal(signal.SIGSTOP)
        # The signal is only on its way: on a busy machine threads answer for some 50 ms more.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused one go on."""
        self._process.send_signal(signal.SIGCONT)

    def ask_to_end(self) -> None:
        """Send SIGTERM and wait for nothing."""
        self._process.terminate()

    def outlive(self) -> None:
        """Start it anew where it has ended, as a kubelet would; its log goes on in the same file.

        Who elects a leader ends itself when it cannot renew its lease.
        """
        if self.has_ended:
            self.wait_and_clear()
            self._process = self._start()

    def kill(self) -> None:
        """End it and all that it has started by force, paused or not."""
        self._process.kill()
        self.wait_and_clear()

    def stop(self, *, deadline_s: float = STOP_DEADLINE_S) -> None:
        """End it, paused or not."""
        self.resume()
        super().stop(deadline_s=deadline_s)


def start_child(
    command: Sequence[str],
    log_file: Path,
    *,
    url: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> ChildProcess:
    """Start a process that ends with its parent; its output goes into a file.

    Without an ``environment`` it gets ``PASSED_ON``.  The kernel ties a process to the *thread*
    that started it, so that thread has to live as long.  ``folder`` is its working directory.
    """
    environment = passed_on() if environment is None else environment
    log_file.write_bytes(b"")
    start = partial(_start, [*tie(), *map(str, command)], log_file, dict(environment), folder)
    return ChildProcess(url, start, log_file)


def _start(
    command: Sequence[str], log_file: Path, environment: Mapping[str, str], folder: Path | None
) -> subprocess.Popen[bytes]:
    with log_file.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            # A group of its own: it is ended with all that it starts, and by no key of a terminal.
            start_new_session=True,
        )


def passed_on() -> dict[str, str]:
    """Return the environment that a process gets where a test names none."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def tie() -> tuple[str, ...]:
    """Return the words before a command that make it end with its parent; none outside Linux."""
    program = shutil.which("setpriv")
    return (program, "--pdeathsig", "KILL", "--") if program else ()
