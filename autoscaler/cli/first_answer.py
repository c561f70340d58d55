"""Waits for a server without whose first answer a process cannot be put together, and says so.

Meanwhile the port of health is served: the process lives and is not ready.  Not here: servers that
stop to answer later, for which every part waits by itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from autoscaler.errors import SourceError
from autoscaler.health import Readiness, health_application
from autoscaler.listening import listening, readiness_told, run_until, stop_on_signals
from autoscaler.telemetry.exposition import CONTENT_TYPE

FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 30.0
_Made = TypeVar("_Made")


def first_answer(ask: Callable[[], _Made], *, address: str | None, port: int) -> _Made | None:
    """Return what ``ask`` returns, asked again as long as it raises ``SourceError``.

    None where a signal ended the wait.  Raises whatever else ``ask`` raises, and ``UsageError``
    where the port of health is taken.
    """
    asking = Asking(ask)
    if asking.has_answer():
        return asking.found
    asyncio.run(_wait(asking, address, port))
    return asking.found


class Asking(Generic[_Made]):
    """Asks until there is an answer; one thread asks."""

    def __init__(self, ask: Callable[[], _Made]) -> None:
        self._ask = ask
        self._problem = ""
        self.found: _Made | None = None
        """The answer."""

    def problems(self) -> Sequence[str]:
        """Return what is waited for; nothing: nothing any more."""
        return (self._problem,) if self._problem else ()

    def has_answer(self) -> bool:
        """Ask once; return whether that was answered.  Raises what is no ``SourceError``."""
        try:
            self.found = self._ask()
        except SourceError as error:
            self._problem = f"waits for the first answer of the metrics server: {error}"
            return False
        self._problem = ""
        return True

    def run(self, stop: threading.Event, *, retry_s: float = FIRST_RETRY_S) -> None:
        """Ask again and again, until there is an answer or ``stop`` is set."""
        while not stop.wait(retry_s) and not self.has_answer():
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)


async def _wait(asking: Asking[_Made], address: str | None, port: int) -> None:
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    readiness = Readiness(asking.problems)
    health = health_application(readiness, lambda: b"", CONTENT_TYPE)
    async with listening(health, address, port, None), readiness_told(readiness):
        await run_until(stopping, asking.run, readiness)
