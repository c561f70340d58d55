"""Real servers as child processes: started on a free port, waited for, and ended for sure.

What each server is started with stands in ``servers``.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from weakref import WeakSet

import urllib3

LOOPBACK = "127.0.0.1"
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 20.0
POLL_S = 0.02
REST_RATIO = 2.0
"""A look that costs much, such as one by kubectl, is followed by so many times its length of rest:
who waits must not take the machine from what is waited for."""
LONGEST_REST_S = 1.0
TRIES = 5
PORT_IS_TAKEN = "address already in use"
LINES_OF_A_LOG = 60

RUNNING: WeakSet[RunningServer] = WeakSet()
"""Those that were made and not ended, for the report of a test that fails."""

Answer = TypeVar("Answer")


class ServerError(Exception):
    """A server did not start or did not answer; the text has the end of its log."""


class RunningServer:
    """One server process that answers at ``url``."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log_file: Path) -> None:
        self.url = url
        self._process = process
        self._log_file = log_file
        RUNNING.add(self)

    @property
    def name(self) -> str:
        """Return the name of the file that its log is in."""
        return self._log_file.name

    def log(self) -> str:
        """Return all that the server wrote."""
        return self._log_file.read_text(encoding="utf-8", errors="replace")

    def end_of_log(self) -> str:
        """Return the last lines that the server wrote."""
        return "\n".join(self.log().splitlines()[-LINES_OF_A_LOG:])

    @property
    def is_running(self) -> bool:
        """Return whether the process lives."""
        return self._process.poll() is None

    def stop(self, *, deadline_s: float = STOP_DEADLINE_S) -> None:
        """End the process, by force where it does not end itself; a second call does nothing."""
        self._process.terminate()
        try:
            self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        RUNNING.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def until(
    answer: Callable[[], Answer], *, what: str, deadline_s: float = START_DEADLINE_S
) -> Answer:
    """Ask until the answer is true; raises ``TimeoutError`` with ``what`` was waited for."""
    begin_s = time.monotonic()
    end_s = begin_s + deadline_s
    while not (given := answer()):
        now_s = time.monotonic()
        if now_s > end_s:
            raise TimeoutError(f"waited {deadline_s:g} s in vain until {what}; last: {given!r}")
        time.sleep(min(max(POLL_S, REST_RATIO * (now_s - begin_s)), LONGEST_REST_S))
        begin_s = time.monotonic()
    return given


def logs_of_running() -> list[tuple[str, str]]:
    """Return name and end of the log of each server that was started and not stopped."""
    shown = sorted(RUNNING, key=lambda server: server.name)
    return [(server.name, server.end_of_log()) for server in shown]


def start_process(command: Sequence[str], log_file: Path, *, url: str = "") -> RunningServer:
    """Start a process whose output goes into a file; nothing is waited for."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return RunningServer(url, process, log_file)


def start_server(
    name: str, command_at: Callable[[int], Sequence[str]], folder: Path, *, ready_words: str
) -> RunningServer:
    """Start a server on a free port and wait until it is ready.

    ``command_at`` makes its command line from a port.  A port that another process took in between
    is given up for the next.  Ready means that its own log says ``ready_words``, so that nobody
    else answers for it, and that ``/-/ready`` says so too.  Raises ``ServerError``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for attempt in range(TRIES):
        port = free_port()
        log_file = folder / f"{name}-{attempt}.log"
        url = f"http://{LOOPBACK}:{port}"
        server = start_process(command_at(port), log_file, url=url)
        if wait_until_ready(server, name, ready_words=ready_words):
            return server
    raise ServerError(f"{name} found {TRIES} ports taken one after the other")


def wait_until_ready(
    server: RunningServer,
    name: str,
    *,
    ready_words: str,
    deadline_s: float = START_DEADLINE_S,
) -> bool:
    """Wait for a started server; return False where its port was taken, True when it is ready.

    Raises ``ServerError`` with the end of its log where it ended or the deadline passed; it has
    been stopped then.
    """

    def has_started() -> bool:
        return not server.is_running or (
            ready_words in server.log() and status_of(f"{server.url}/-/ready") == 200
        )

    try:
        until(has_started, what=f"{name} is ready", deadline_s=deadline_s)
    except BaseException as error:
        server.stop()
        if isinstance(error, TimeoutError):
            raise ServerError(f"{error}; its log ends:\n{server.end_of_log()}") from error
        raise
    if server.is_running:
        return True
    if PORT_IS_TAKEN in server.log():
        return False
    raise ServerError(f"{name} ended at its start; its log ends:\n{server.end_of_log()}")


def status_of(url: str) -> int | None:
    """Return the HTTP status of a GET; None where nobody answers."""
    try:
        return urllib3.request("GET", url, retries=False, timeout=5.0).status
    except urllib3.exceptions.HTTPError:
        return None


def free_port() -> int:
    """Return a port of the loopback that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
