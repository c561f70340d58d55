"""How long requests take: their shares, and requests that come at a steady rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from statistics import quantiles


def p50_p99(times_s: Sequence[float]) -> dict[str, float]:
    """Return ``p50_s`` and ``p99_s`` of at least two times."""
    shares = quantiles(times_s, n=100, method="inclusive")
    return {"p50_s": shares[49], "p99_s": shares[98]}


def at_rate(
    asks: Sequence[Callable[[], object]], *, every_s: float, executor: Executor
) -> list[float]:
    """Ask one after the other at a steady rate, however long each takes; return the times.

    The time of each counts from when it was due, so that one that had to wait for a thread, or for
    those before it, is as slow as it was for who needs it.  What an ask raises is raised.
    """
    begin_s = time.perf_counter() + every_s

    def timed(ask: Callable[[], object], due_s: float) -> float:
        ask()
        return time.perf_counter() - due_s

    running = []
    for number, ask in enumerate(asks):
        due_s = begin_s + number * every_s
        time.sleep(max(due_s - time.perf_counter(), 0.0))
        running.append(executor.submit(timed, ask, due_s))
    return [each.result() for each in running]
