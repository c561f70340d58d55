"""The back-test of a live report: bounded in time, and not made anew for every look.

It replays a week of the whole fleet, so it costs most of a report's time and changes least.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.reporting import Analysis, look_back
from recommender.sentences import counted, duration

if TYPE_CHECKING:
    from recommender.backtest.whatif import WhatIf

MOST_S = 20.0
"""A back-test that takes longer is left out."""
REUSED_S = 3600.0
"""For so long one back-test stands beside newer recommendations for the same workloads, and one
that took too long is not tried again."""

_Rows = Sequence[tuple[str, str, str]]


class _OverTimeError(Exception):
    """The back-test takes too long."""


@dataclass(frozen=True, slots=True)
class BackTested:
    """A back-test, or why there is none."""

    whatif: WhatIf | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    rows: _Rows
    made_s: float
    result: BackTested


class BackTest:
    """Makes the back-tests of one page.  Used by one thread."""

    def __init__(self, monotonic_s: Callable[[], float], *, most_s: float = MOST_S) -> None:
        self._monotonic_s = monotonic_s
        self._most_s = most_s
        self._kept: _Kept | None = None

    def known(self, analysis: Analysis) -> BackTested | None:
        """Return the back-test that was made of these workloads lately; None: it is to be made."""
        kept = self._kept
        is_lately = kept is not None and self._monotonic_s() - kept.made_s < REUSED_S
        return (
            kept.result if kept is not None and is_lately and kept.rows == _rows(analysis) else None
        )

    def make(self, analysis: Analysis) -> BackTested:
        """Return the back-test of an analysis, or that it takes too long."""
        begin_s = self._monotonic_s()

        def check(_share: float) -> None:
            if self._monotonic_s() - begin_s > self._most_s:
                raise _OverTimeError

        try:
            result = BackTested(look_back(analysis, check))
        except _OverTimeError:
            workloads = counted(len({view.key for view in analysis.views}), "workload")
            result = BackTested(
                None,
                f"the back-test is left out: for {workloads} it takes more than "
                f"{duration(self._most_s)}; tfa report makes one",
            )
        self._kept = _Kept(_rows(analysis), begin_s, result)
        return result


def _rows(analysis: Analysis) -> _Rows:
    workloads = analysis.observation.workloads
    return list(zip(workloads.namespace, workloads.workload, workloads.gpu_model, strict=True))
