"""How a long time is cut into queries: aligned to the epoch, and small enough for both sides.

Chunks that begin at the same times for everybody are answered from a gateway's cache, and none of
their samples is delivered twice: chunks are [start, end).
"""

from __future__ import annotations

DAY_S = 86400
HOUR_S = 3600
MINUTE_S = 60
LENGTHS_S = (DAY_S, 12 * HOUR_S, 6 * HOUR_S, 2 * HOUR_S, HOUR_S, 20 * MINUTE_S, 10 * MINUTE_S)
"""Divisors of a day, so that every chunk lies within one of the longer ones."""
SHORTEST_S = LENGTHS_S[-1]
SAMPLES_PER_QUERY = 2_000_000
"""About 50 MB of answer; a Prometheus refuses a query above 50 M samples."""
POINTS_PER_SERIES = 10_000
"""A Prometheus refuses more than 11,000 points of one series in one answer."""


def chunk_end_s(start_s: int, end_s: int, length_s: int) -> int:
    """Return the end of the chunk that begins at ``start_s``.

    A multiple of ``length_s``; a time that is no longer than that is not cut.
    """
    if end_s - start_s <= length_s:
        return end_s
    return (start_s // length_s + 1) * length_s


def length_s_of(samples_per_s: float, points_per_s: float = 0.0) -> int:
    """Return how long a chunk may be: ``samples_per_s`` of all series, ``points_per_s`` of one."""
    for length_s in LENGTHS_S:
        if (
            length_s * samples_per_s <= SAMPLES_PER_QUERY
            and length_s * points_per_s <= POINTS_PER_SERIES
        ):
            return length_s
    return SHORTEST_S


def half_s(span: tuple[int, int]) -> int:
    """Return the shortest length of which two hold a span, so that both can be read at once."""
    needed_s = -(-(span[1] - span[0]) // 2)
    return min((length_s for length_s in LENGTHS_S if length_s >= needed_s), default=DAY_S)


def shorter_s(length_s: int) -> int | None:
    """Return the longest length below ``length_s``; None where there is none."""
    return next((shorter for shorter in LENGTHS_S if shorter < length_s), None)


def blocks(start_s: int, end_s: int, step_s: int) -> tuple[int, int]:
    """Return the start of the first whole block of ``[start_s, end_s)`` and the end of the last.

    Blocks are ``[n * step_s, (n + 1) * step_s)``.  Where none fits, both are the same.
    """
    first_s = -(-start_s // step_s) * step_s
    return first_s, max(end_s // step_s * step_s, first_s)
