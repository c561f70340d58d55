"""Waiting for a report on the thread of the server, for a bounded time and a bounded number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscaler.scaling.page.board import Board
    from autoscaler.scaling.page.live_state import Key

WAIT_S = 20.0
"""Longer than a tick and a small report; whoever waits longer asks again."""
MOST_WAITING = 64
"""Requests that wait at the same time; the next ones get what there is."""


class Waiting:
    """Requests that wait for a fresh report.  Belongs to one event loop."""

    def __init__(self, board: Board, wait_s: float = WAIT_S) -> None:
        self._board = board
        self._wait_s = wait_s
        self._waiting = 0

    async def until_fresh(self, key: Key | None = None) -> None:
        """Ask for a report, with ``key`` in it, and return when it is there, or it took too long.

        Returns at once where none is being made.
        """
        board = self._board
        board.ask(key)
        if board.is_fresh(key) or board.absence() or self._waiting >= MOST_WAITING:
            return
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        unsubscribe = board.subscribe(lambda: _set_from_a_thread(loop, arrived))
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                while not board.is_fresh(key) and not board.absence():
                    await arrived.wait()
                    arrived.clear()
        except TimeoutError:
            # What there is is answered, which may be older.
            return
        finally:
            self._waiting -= 1
            unsubscribe()


def _set_from_a_thread(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(event.set)
