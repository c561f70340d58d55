"""Why there is no value: a series, or the model of it, is not fit for one."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Stands in place of a value."""

    TOO_SHORT = "TooShort"
    TOO_MANY_GAPS = "TooManyGaps"
    CONSTANT = "Constant"
    NOT_CONVERGED = "NotConverged"
    TIMED_OUT = "TimedOut"
    ENDED = "Ended"

    @property
    def sentence(self) -> str:
        """For people."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.TOO_SHORT: "The history is shorter than two seasons, or than 48 steps.",
    Reason.TOO_MANY_GAPS: "More than half of the history was not measured.",
    Reason.CONSTANT: "Use never changes, so there is nothing to fit.",
    Reason.NOT_CONVERGED: "The fit found no solution.",
    Reason.TIMED_OUT: "The fit took longer than its time limit and was ended.",
    Reason.ENDED: "The process of the fit ended before it had an answer.",
}
