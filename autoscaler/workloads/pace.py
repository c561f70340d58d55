"""How often the status of one object is written, where every placement would change it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

EVERY_S = 1.0
"""The status of one GPU, pool or quota is written at most so often."""


class Pace:
    """Lets something be done to each object once in a while; thread-safe."""

    def __init__(
        self, every_s: float = EVERY_S, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_s = every_s
        self._monotonic_s = monotonic_s
        self._lock = Lock()
        self._done_s: dict[tuple[str, str], float] = {}

    def left_s(self, namespace: str, name: str) -> float:
        """Return how long to wait yet; 0: it may be done now, and counts as done."""
        now_s = self._monotonic_s()
        with self._lock:
            left_s = self._done_s.get((namespace, name), float("-inf")) + self._every_s - now_s
            if left_s > 0:
                return left_s
            self._done_s[namespace, name] = now_s
            return 0.0

    def forget(self, namespace: str, name: str) -> None:
        """Forget an object that is gone."""
        with self._lock:
            self._done_s.pop((namespace, name), None)
