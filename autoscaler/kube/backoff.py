"""How long to wait after the first, second, ... failure in a row."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S = 0.5
LONGEST_S = 30.0


class Backoff:
    """Waits that double, each with a random part so that processes do not come back together."""

    def __init__(
        self,
        *,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
        random_share: Callable[[], float] = random.random,
    ) -> None:
        """``random_share`` returns numbers in [0, 1)."""
        self._first_s = first_s
        self._longest_s = longest_s
        self._random_share = random_share
        self._failures = 0

    def next_s(self) -> float:
        """Return the next wait, between ``first_s`` and ``longest_s``.

        The n-th one is between ``first_s`` times 2 to the n-1 and twice that.
        """
        # Beyond the longest the power has no effect and would overflow one day.
        end_s = self._first_s * 2.0 ** min(self._failures + 1, 32)
        self._failures += 1
        start_s = min(end_s, self._longest_s) / 2
        return max(self._first_s, start_s * (1 + self._random_share()))

    def reset(self) -> None:
        """Begin again with the shortest wait."""
        self._failures = 0
