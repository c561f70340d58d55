"""How fast one process may write to the API server: never above a rate, and less when it suffers.

A token bucket whose rate falls by a factor when the server throttles or becomes slow, and rises by
a constant while it is calm (additive increase, multiplicative decrease, as TCP does).  Slow is
measured against the server's own quickest times of the last minute, because an API server on two
cores is ten times slower than another one all day long.  Not here: what is written first.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from threading import Lock

from autoscaler.errors import ThrottledError, UsageError

RATE_PER_S = 200.0
BURST_S = 1.0
"""The bucket holds what the rate fills in so long."""
LOWEST_SHARE = 0.05
"""Of the configured rate; it never falls below."""
LOWEST_SLOW_SHARE = 0.25
"""The same, where the server is only slow: others may be what it suffers from."""
LEFT_TO_URGENT_SHARE = 0.5
"""Of the bucket; what is not urgent leaves so much for what is."""
URGENT_AT_ONCE = 2
"""While so many urgent writes are under way, what is not urgent does not compete with them for the
server."""
URGENT_PER_OTHER = 8
"""After so many of them one that is not urgent may go, so that none waits for ever."""
RISE_SHARE = 0.05
"""Of the configured rate, per calm interval."""
THROTTLED_FACTOR = 0.5
SLOW_FACTOR = 0.8
SLOW_RATIO = 3.0
"""An interval is slow where its median latency is so many times the quickest of late."""
SHORTEST_BASELINE_S = 0.01
"""Latencies below are not told apart: 3 ms in place of 1 ms is no overload."""
INTERVAL_S = 1.0
BASELINE_INTERVALS = 60
"""The quickest of so many intervals that had writes is the baseline."""
LONGEST_PAUSE_S = 60.0
"""A ``Retry-After`` that asks for more counts as this."""
_TOLERANCE = 1e-6
"""Rounding of the bucket, in tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBudgetSnapshot:
    """A budget at one moment."""

    rate_per_s: float
    """What is allowed now."""
    configured_per_s: float
    taken: int
    """Writes that were allowed, since the budget was made."""
    refused: int
    """Writes that would have had to wait for too long."""
    throttled: int
    """Answers 429."""
    paused_s: float
    """For so long from now nothing is allowed, because the server asked to wait."""
    baseline_s: float | None
    """Median latency of the quickest interval of late; None: no interval has ended yet."""


class WriteBudget:
    """Adaptive token bucket for several threads.

    In any window of t seconds at most ``rate_per_s * (t + BURST_S)`` writes are allowed.  Raises
    ``UsageError`` where the rate is not above 0.
    """

    def __init__(
        self,
        rate_per_s: float = RATE_PER_S,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        if not rate_per_s > 0:
            raise UsageError(
                f"write rate: {rate_per_s:g} per second; allowed: any above 0 (--write-rate)"
            )
        self._configured_per_s = rate_per_s
        self._rate_per_s = rate_per_s
        self._monotonic_s = monotonic_s
        self._wait = wait
        self._lock = Lock()
        self._filled_s = self._interval_start_s = self._paused_until_s = monotonic_s()
        self._tokens = self._capacity()
        self._latencies_s: list[float] = []
        self._was_throttled = False
        self._medians_s: deque[float] = deque(maxlen=BASELINE_INTERVALS)
        self._taken = self._refused = self._throttled = 0
        self._urgent_under_way = 0
        self._urgent_in_a_row = 0

    def take(self, timeout_s: float, *, is_urgent: bool = True) -> bool:
        """Wait until one write is allowed; False, at once, where that would take too long.

        What is not urgent waits while the bucket is less than half full, and stands back at once
        where urgent writes are under way.
        """
        end_s = self._monotonic_s() + timeout_s
        while True:
            with self._lock:
                now_s = self._advance()
                if not is_urgent and self._is_busy_with_urgent():
                    self._refused += 1
                    return False
                left = 0.0 if is_urgent else LEFT_TO_URGENT_SHARE * (self._capacity() - 1.0)
                lacking = 1.0 + left - self._tokens
                wait_s = max(self._paused_until_s - now_s, lacking / self._rate_per_s)
                if wait_s <= _TOLERANCE / self._rate_per_s:
                    self._tokens -= 1.0
                    self._taken += 1
                    self._urgent_in_a_row = self._urgent_in_a_row + 1 if is_urgent else 0
                    return True
                if now_s + wait_s > end_s:
                    self._refused += 1
                    return False
            self._wait(wait_s)

    def observed(
        self, latency_s: float, was_throttled: bool, *, retry_after_s: float | None = None
    ) -> None:
        """Note how a write went; ``retry_after_s`` is what the server asked to wait."""
        with self._lock:
            now_s = self._advance()
            if not was_throttled:
                self._latencies_s.append(latency_s)
                return
            self._throttled += 1
            pause_s = min(retry_after_s or 0.0, LONGEST_PAUSE_S)
            self._paused_until_s = max(self._paused_until_s, now_s + pause_s)
            if not self._was_throttled:  # many writes in flight are one sign, not many
                self._was_throttled = True
                self._change_rate(self._rate_per_s * THROTTLED_FACTOR)

    @contextmanager
    def observing(self, *, is_urgent: bool = False) -> Iterator[None]:
        """Note how the write within goes, whatever it raises."""
        start_s = self._monotonic_s()
        with self._lock:
            self._urgent_under_way += is_urgent
        was_throttled, retry_after_s = False, None
        try:
            yield
        except ThrottledError as error:
            was_throttled, retry_after_s = True, error.retry_after_s
            raise
        finally:
            with self._lock:
                self._urgent_under_way -= is_urgent
            latency_s = self._monotonic_s() - start_s
            self.observed(latency_s, was_throttled, retry_after_s=retry_after_s)

    def snapshot(self) -> WriteBudgetSnapshot:
        """Return the numbers of this moment."""
        with self._lock:
            now_s = self._advance()
            return WriteBudgetSnapshot(
                rate_per_s=self._rate_per_s,
                configured_per_s=self._configured_per_s,
                taken=self._taken,
                refused=self._refused,
                throttled=self._throttled,
                paused_s=max(self._paused_until_s - now_s, 0.0),
                baseline_s=self._baseline_s() if self._medians_s else None,
            )

    def _is_busy_with_urgent(self) -> bool:
        return self._urgent_under_way >= URGENT_AT_ONCE and self._urgent_in_a_row < URGENT_PER_OTHER

    def _advance(self) -> float:
        """Bring rate and bucket to this moment, which is returned."""
        now_s = self._monotonic_s()
        while now_s - self._interval_start_s >= INTERVAL_S:
            self._fill(self._interval_start_s + INTERVAL_S)
            self._end_interval()
            if self._is_at_rest():
                self._interval_start_s = now_s
        self._fill(now_s)
        return now_s

    def _fill(self, now_s: float) -> None:
        gained = (now_s - self._filled_s) * self._rate_per_s
        self._tokens = min(self._tokens + gained, self._capacity())
        self._filled_s = now_s

    def _end_interval(self) -> None:
        was_paused = self._paused_until_s > self._interval_start_s
        self._interval_start_s += INTERVAL_S
        latency_s = median(self._latencies_s) if self._latencies_s else 0.0
        if self._latencies_s:
            self._medians_s.append(latency_s)
        if latency_s > SLOW_RATIO * self._baseline_s():
            slow_per_s = LOWEST_SLOW_SHARE * self._configured_per_s
            self._change_rate(
                max(self._rate_per_s * SLOW_FACTOR, min(self._rate_per_s, slow_per_s))
            )
        elif not self._was_throttled and not was_paused:
            self._change_rate(self._rate_per_s + RISE_SHARE * self._configured_per_s)
        self._latencies_s = []
        self._was_throttled = False

    def _is_at_rest(self) -> bool:
        """Return whether further intervals without writes would change nothing."""
        return self._rate_per_s == self._configured_per_s and self._tokens == self._capacity()

    def _change_rate(self, rate_per_s: float) -> None:
        lowest_per_s = LOWEST_SHARE * self._configured_per_s
        self._rate_per_s = min(max(rate_per_s, lowest_per_s), self._configured_per_s)
        self._tokens = min(self._tokens, self._capacity())

    def _capacity(self) -> float:
        return max(self._rate_per_s * BURST_S, 1.0)

    def _baseline_s(self) -> float:
        return max(min(self._medians_s, default=0.0), SHORTEST_BASELINE_S)
