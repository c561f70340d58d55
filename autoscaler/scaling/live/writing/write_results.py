"""What became of a write into the status of a workload, and what an error of it means.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from autoscaler.errors import (
    ApiUnavailableError,
    AutoscalerError,
    ConflictError,
    KubeError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.kube.writer import NotLeadingError

LATER_S = 1.0
"""What is shown is tried again after so long, where the API server does not say when."""
LONGEST_LATER_S = 60.0


class WriteOutcome(StrEnum):
    """What became of a write."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    """All of it stood there."""
    LATE = "late"
    """Not begun within the tick, or not allowed by the write budget."""
    CHANGED = "changed"
    """The workload is no longer what was decided about."""
    GONE = "gone"
    REFUSED = "refused"
    """By the API server, for its content or for lack of rights."""
    UNAVAILABLE = "unavailable"
    """The API server did not answer, or throttles."""
    NOT_LEADING = "not leading"
    DEFECT = "defect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of what was decided for one workload."""

    outcome: WriteOutcome
    text: str = ""
    """Why it does not stand in the status; empty where it does."""
    then: str = ""
    """Why what was to follow was not done; empty where it was."""

    @property
    def is_stated(self) -> bool:
        """Return whether what was decided stands in the status."""
        return self.outcome in {WriteOutcome.WRITTEN, WriteOutcome.UNCHANGED}


class WithdrawnError(AutoscalerError):
    """The tick is over, and nothing of it was sent yet."""


LATE = Result(outcome=WriteOutcome.LATE, text="no write budget in this tick")


class Failure(NamedTuple):
    """What an error means."""

    result: Result
    again_s: float | None
    """When what is to be shown is tried again; None: not at all."""
    is_told: bool = False
    """Whether somebody should read of it in the log."""


def failure_of(error: Exception) -> Failure:
    """Return what an error of a write means."""
    failure: tuple[WriteOutcome, str, float | None]
    match error:
        case NotLeadingError():
            # whoever leads says everything anew
            failure = WriteOutcome.NOT_LEADING, str(error), None
        case NotFoundError():
            failure = WriteOutcome.GONE, "the workload is gone", None
        case ConflictError():
            failure = WriteOutcome.CHANGED, "the workload changed meanwhile", LATER_S
        case WithdrawnError():
            failure = WriteOutcome.LATE, LATE.text, LATER_S
        case ThrottledError(http_status=None):
            failure = WriteOutcome.LATE, LATE.text, LATER_S
        case ThrottledError() | ApiUnavailableError():
            later_s = min(error.retry_after_s or LATER_S, LONGEST_LATER_S)
            failure = WriteOutcome.UNAVAILABLE, str(error), later_s
        case KubeError():
            failure = WriteOutcome.REFUSED, str(error), LONGEST_LATER_S
        case _:
            failure = WriteOutcome.DEFECT, f"a defect: {error!r}", LONGEST_LATER_S
    outcome, text, again_s = failure
    return Failure(
        result=Result(outcome=outcome, text=text),
        again_s=again_s,
        is_told=outcome in {WriteOutcome.REFUSED, WriteOutcome.DEFECT},
    )
