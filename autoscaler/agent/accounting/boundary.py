"""Means and maxima since the last multiple of five seconds, whatever the moment of a scrape.

All agents and all scrapes then speak of the same spans of time.  A span that has only just begun
says nothing yet: during its first second the one before still counts as well.
"""

from __future__ import annotations

from dataclasses import dataclass

BOUNDARY_S = 5.0
LEAST_S = 1.0


@dataclass(slots=True, kw_only=True)
class _Span:
    number: int
    """Of its boundary: it begins at ``number * BOUNDARY_S``."""
    total: float = 0.0
    """Sum of rate times seconds."""
    covered_s: float = 0.0
    highest: float | None = None


class BoundaryGauge:
    """One gauge; times are UTC seconds.  A clock that goes back begins it anew."""

    def __init__(self) -> None:
        self._spans: list[_Span] = []

    def add(self, begin_s: float, end_s: float, rate: float) -> None:
        """Say that a rate held from one moment to another."""
        begin_s = max(begin_s, end_s - 2 * BOUNDARY_S)
        while begin_s < end_s:
            span = self._span_at(begin_s)
            until_s = min(end_s, (span.number + 1) * BOUNDARY_S)
            span.total += rate * (until_s - begin_s)
            span.covered_s += until_s - begin_s
            begin_s = until_s

    def note(self, now_s: float, amount: float) -> None:
        """Say what an amount was at one moment."""
        span = self._span_at(now_s)
        span.highest = amount if span.highest is None else max(span.highest, amount)

    def mean(self, now_s: float) -> float | None:
        """Return the mean of the rates; None where nothing was said of this time."""
        spans = self._since_boundary(now_s)
        covered_s = sum(span.covered_s for span in spans)
        return sum(span.total for span in spans) / covered_s if covered_s > 0 else None

    def highest(self, now_s: float) -> float | None:
        """Return the largest amount; None where nothing was said of this time."""
        amounts = [span.highest for span in self._since_boundary(now_s) if span.highest is not None]
        return max(amounts, default=None)

    def _since_boundary(self, now_s: float) -> list[_Span]:
        first = int((now_s - LEAST_S) // BOUNDARY_S)
        return [span for span in self._spans if span.number >= first]

    def _span_at(self, at_s: float) -> _Span:
        number = int(at_s // BOUNDARY_S)
        if self._spans and self._spans[-1].number > number:
            self._spans.clear()
        if not self._spans or self._spans[-1].number < number:
            self._spans = [*self._spans[-1:], _Span(number=number)]
        return self._spans[-1]
