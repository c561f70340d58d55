"""Which time is read at once: a history by parts of a day in minutes, its end as it was scraped.

Pure arithmetic.  Parts begin and end at the same times of every day, so that a server's caches and
two readers agree on them.
"""

from __future__ import annotations

from dataclasses import dataclass

from recommender.usage.minutes import MINUTE_S

RAW_TAIL_S = 600
"""Longer ago, a minute's mean and maximum say enough."""
PARTS_S = (86400, 43200, 21600, 10800, 7200, 3600, 1800, 900)
"""Lengths of the parts of a history; each one divides a day."""
MOST_SAMPLES = 2_000_000
"""About so many samples of one metric are held at once; more make the next parts shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """``[start_s, end_s)``, read in a resolution of ``step_s``."""

    start_s: int
    end_s: int
    step_s: int
    is_history: bool
    """Both ends lie on a minute, and the source may answer with minutes."""
    is_before_tail: bool = False
    """The next window is the last one."""


def window_from(begin_s: int, end_s: int, *, step_s: int, part_s: int) -> Window:
    """Return the first window of ``[begin_s, end_s)``, which must not be empty.

    What is older than ``RAW_TAIL_S`` at ``end_s`` is read by minutes, from a whole one on; the rest
    at once, in the wanted step.
    """
    minute_s = max(MINUTE_S, step_s)
    tail_s = (end_s - RAW_TAIL_S) // minute_s * minute_s
    if begin_s >= tail_s:
        return raw_window(begin_s, end_s, step_s)
    upto_s = min((begin_s // part_s + 1) * part_s, tail_s)
    return Window(
        start_s=begin_s // minute_s * minute_s,
        end_s=upto_s,
        step_s=minute_s,
        is_history=True,
        is_before_tail=upto_s == tail_s,
    )


def raw_window(begin_s: int, end_s: int, step_s: int) -> Window:
    """Return a window of samples as they were scraped."""
    return Window(start_s=begin_s, end_s=end_s, step_s=step_s, is_history=False)


def shorter_part_s(part_s: int, window: Window, samples: int) -> int:
    """Return how long the next parts should be, after one that brought so many samples."""
    if samples <= MOST_SAMPLES:
        return part_s
    fitting_s = (window.end_s - window.start_s) * MOST_SAMPLES / samples
    return next((s for s in PARTS_S if s <= min(fitting_s, part_s)), min(PARTS_S[-1], part_s))
