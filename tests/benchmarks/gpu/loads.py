"""One worker under load: started paused, told what to do, and its rate read from its reports.

It speaks the words of the program ``load``: commands on stdin, and one JSON object a line.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.benchmarks.gpu.outcomes import ExperimentError

NS = 1_000_000_000
LATE_S = 60.0
"""A report that is overdue by so much will not come."""
LINES_OF_A_LOG = 5


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker has done by a time of ``CLOCK_MONOTONIC``."""

    at_ns: int
    ended: int
    """Pieces of work."""
    busy_ns: int = 0
    """How long these had the card, by events around them; 0 where nothing is told of that."""


def rate_per_s(reports: Sequence[Report], from_ns: int, until_ns: int) -> float:
    """Return pieces of work a second between two times; 0 where none ended.

    Work is reported in batches, so it is counted from one report that tells of more to another.
    """
    within = [report for report in reports if from_ns <= report.at_ns <= until_ns]
    steps = [later for earlier, later in pairwise(within) if later.ended > earlier.ended]
    ends = steps if len(steps) > 1 else within
    if len(ends) < 2 or ends[-1].at_ns == ends[0].at_ns:
        return 0.0
    return (ends[-1].ended - ends[0].ended) * NS / (ends[-1].at_ns - ends[0].at_ns)


class RunningLoad:
    """A context that ends the worker."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._reports: list[Report] = []
        self._ready: Mapping[str, Any] | None = None
        self._has_ended = False
        self._news = threading.Condition()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.pause()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def ready(self) -> Mapping[str, Any]:
        """Wait until it has started; return what it says of itself.  Raises ``ExperimentError``."""
        self._wait(lambda: self._ready is not None, LATE_S, "is ready")
        return self._ready or {}

    def tell(self, command: str) -> None:
        """Give it a command.  Raises ``ExperimentError`` where it has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ExperimentError(f"a worker has ended: {self._said()}") from error

    def go(self) -> None:
        """Let it work."""
        self.tell("go")

    def pause(self) -> None:
        """Let it launch nothing more."""
        self.tell("pause")

    def measured_per_s(self, settle_s: float, window_s: float) -> float:
        """Return its rate over a window that begins when it has settled."""
        from_ns = time.monotonic_ns() + round(settle_s * NS)
        until_ns = from_ns + round(window_s * NS)
        self.wait_until(until_ns)
        return self.between_per_s(from_ns, until_ns)

    def between_per_s(self, from_ns: int, until_ns: int) -> float:
        """Return its rate between two times that are past."""
        with self._news:
            return rate_per_s(self._reports, from_ns, until_ns)

    def while_busy_per_s(self, from_ns: int, until_ns: int) -> float:
        """Return its rate in the time that it had the card; 0 where it does not tell that time.

        Only a worker that is alone and without the limiter can tell it.
        """
        with self._news:
            within = [each for each in self._reports if from_ns <= each.at_ns <= until_ns]
        busy_ns = within[-1].busy_ns - within[0].busy_ns if within else 0
        return (within[-1].ended - within[0].ended) * NS / busy_ns if busy_ns else 0.0

    def reports(self) -> list[Report]:
        """Return all that it reported so far."""
        with self._news:
            return list(self._reports)

    def wait_until(self, at_ns: int) -> None:
        """Wait for its report of a time or later.  Raises ``ExperimentError``."""
        ahead_s = max(at_ns - time.monotonic_ns(), 0) / NS
        self._wait(
            lambda: bool(self._reports) and self._reports[-1].at_ns >= at_ns,
            ahead_s + LATE_S,
            "reports what it did",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            # What it was still told is lost.
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            with self._news:
                if "ready" in said:
                    self._ready = said
                else:
                    self._reports.append(
                        Report(said["at_ns"], said["ended"], said.get("busy_ns", 0))
                    )
                self._news.notify_all()
        with self._news:
            self._has_ended = True
            self._news.notify_all()

    def _wait(self, is_there: Callable[[], bool], deadline_s: float, what: str) -> None:
        with self._news:
            self._news.wait_for(lambda: self._has_ended or is_there(), deadline_s)
            if is_there():
                return
            how = "ended" if self._has_ended else f"took longer than {deadline_s:.0f} s"
        raise ExperimentError(f"a worker {how} before it {what}: {self._said()}")

    def _said(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return " ".join(text.splitlines()[-LINES_OF_A_LOG:]) or "it said nothing"


def wait_until_ready(*loads: RunningLoad) -> None:
    """Wait until all have started.  Raises ``ExperimentError``."""
    for load in loads:
        load.ready()
