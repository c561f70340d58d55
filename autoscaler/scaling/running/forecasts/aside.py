"""One thread beside the loop for what takes seconds and more, one piece of work after the other.

Forecasts are made better there, never made there: whatever becomes of such work, the loop decides
in time.  The work itself is done in processes, which may be ended; the thread waits for them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

Answer = TypeVar("Answer")


class Aside:
    """The thread; a ``Service`` of the process."""

    def __init__(self) -> None:
        self._stopping = Event()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="forecasts")

    def start(self) -> None:
        """Begin; the thread itself begins with the first work."""

    def stop(self) -> None:
        """Begin nothing more, and wait for the end of what has been told to end."""
        self._stopping.set()
        self._threads.shutdown(cancel_futures=True)

    @property
    def is_wanted(self) -> bool:
        """Return whether anybody waits for answers still; work asks, at least once a second."""
        return not self._stopping.is_set()

    def submit(self, work: Callable[[], Answer]) -> Future[Answer] | None:
        """Have something done; None: nothing is begun any more."""
        try:
            return self._threads.submit(work)
        except RuntimeError:
            if self.is_wanted:
                raise
            return None
