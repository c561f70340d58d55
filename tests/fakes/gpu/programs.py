"""Driver-API programs as child processes: started with their cards, read, and ended."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes.gpu.building import Program, Route, program
from tests.fakes.gpu.cards import FakeCards

TURNS_PER_US = 1000
"""Of the kernel ``spin`` on the fake driver: one a nanosecond."""
END_DEADLINE_S = 60.0


class ProgramError(Exception):
    """A program did not do as it was told; the text has what it said."""


class RunningProgram:
    """One program on fake cards; a context that ends it, by force where it does not end itself."""

    def __init__(
        self,
        name: Program,
        cards: FakeCards,
        *words: object,
        route: Route = "dlsym",
        environment: Mapping[str, str] | None = None,
        preload: Path | None = None,
        log: Path | None = None,
    ) -> None:
        """``environment`` is added to this process's own one and to that of the cards."""
        added = dict(environment or {}) | ({"LD_PRELOAD": str(preload)} if preload else {})
        self._log = log
        self._errors = log.open("wb") if log else None
        self._process = subprocess.Popen(
            [program(name, route), "--turns-per-us", str(TURNS_PER_US), *map(str, words)],
            env=os.environ | cards.environment() | added,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
        )

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def tell(self, command: str) -> None:
        """Give it a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def answer(self) -> Mapping[str, Any]:
        """Return what it prints next.  Raises ``ProgramError`` where it prints nothing any more."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ProgramError(f"ended with {self._process.wait()}: {self._said()}")
        answered: Mapping[str, Any] = json.loads(line)
        return answered

    def ask(self, command: str) -> Mapping[str, Any]:
        """Give it a command and return its answer."""
        self.tell(command)
        return self.answer()

    def finish(self, *, deadline_s: float = END_DEADLINE_S) -> list[Mapping[str, Any]]:
        """End its input, and return all that it still prints.  Raises ``ProgramError``."""
        rest, _ = self._process.communicate(timeout=deadline_s)
        if self._process.returncode != 0:
            raise ProgramError(f"ended with {self._process.returncode}: {self._said()}")
        return [json.loads(line) for line in rest.splitlines()]

    def kill(self) -> None:
        """End it by SIGKILL, as a kernel does that has no memory left."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None and not stream.closed:
                _close(stream)

    def _said(self) -> str:
        return self._log.read_text(errors="replace") if self._log else "see the standard error"


def _close(stream: Any) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        # What was still to be told finds nobody.
        return


def run_program(
    name: Program,
    cards: FakeCards,
    *words: object,
    route: Route = "dlsym",
    environment: Mapping[str, str] | None = None,
    preload: Path | None = None,
) -> list[Mapping[str, Any]]:
    """Run a program to its end, and return all that it printed.  Raises ``ProgramError``."""
    with RunningProgram(
        name, cards, *words, route=route, environment=environment, preload=preload
    ) as running:
        return running.finish()
