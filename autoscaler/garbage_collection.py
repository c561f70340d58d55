"""Keeps the collector of cycles away from much plain data, which it would only walk in vain.

Parsed JSON has no cycles, yet every few hundred new objects make the collector look at all of them
again: that takes more time than the rest of a long answer.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class _Pauses:
    """Pauses of all threads: the collector is one, so the first one stops it, and the last ends."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pauses = 0
        self._was_enabled = False

    def begin(self) -> None:
        with self._lock:
            if self._pauses == 0:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._pauses += 1

    def end(self) -> None:
        with self._lock:
            self._pauses -= 1
            if self._pauses == 0 and self._was_enabled:
                gc.enable()


_pauses = _Pauses()


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the collector while this, or a pause of another thread, lasts."""
    _pauses.begin()
    try:
        yield
    finally:
        _pauses.end()
