"""What was done for the workers of a workload, as its status and its events say it.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.api.condition_reasons import AppliedReason, CapReason
from autoscaler.workloads.adjusting.adjust_plan import Capped
from autoscaler.workloads.adjusting.adjusted import Adjusted, AppliedState
from recommender.policy.model import Mode

MOST_CAPPED = 100
"""Workers that ``status.applied.capped`` names; the condition has the number of all."""
MOST_LETTERS = 1000
"""Of one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOutcome:
    """What became of one worker."""

    worker: str
    """Name of its pod."""
    current: Mapping[str, str]
    """What it had, by key of a statement."""
    changes: Mapping[str, str]
    """What was written; empty: nothing."""
    capped: tuple[Capped, ...] = ()
    gpus: tuple[str, ...] = ()
    """Those that it is placed on."""
    has_raise: bool = False
    has_decrease: bool = False
    is_left: bool = False
    """It is to be changed, and was not looked at this time."""

    @property
    def has_all(self) -> bool:
        """Return whether the worker has what was decided."""
        return not self.capped and not self.is_left

    @property
    def waits_for_quota(self) -> bool:
        """Return whether a quota keeps it from having more."""
        return any(each.reason is CapReason.QUOTA_EXCEEDED for each in self.capped)


def adjusted_of(
    outcomes: Sequence[WorkerOutcome],
    decided: Mapping[str, Any],
    warnings: Sequence[str],
    *,
    modes: Collection[Mode],
) -> Adjusted:
    """Return the part of the status; ``outcomes`` has every worker.

    ``decided`` is ``status.desiredResources``, ``warnings`` say what of it is left out, ``modes``
    are those of the layers that are enrolled.
    """
    with_all = sum(each.has_all for each in outcomes)
    capped = sorted((each for each in outcomes if each.capped), key=lambda each: each.worker)
    entries = [
        {
            "worker": each.worker,
            "reason": str(each.capped[0].reason),
            "message": _shortened("; ".join(one.message for one in each.capped)),
        }
        for each in capped[:MOST_CAPPED]
    ]
    applied = {
        **{key: decided[key] for key in ("epoch", "sequence") if decided.get(key) is not None},
        "workers": with_all,
        **({"capped": entries} if entries else {}),
    }
    return Adjusted(
        applied=applied,
        state=_state(outcomes, with_all, capped, warnings)
        if Mode.APPLY in modes or warnings
        else _state_of_running(modes),
        replicas_with_all=with_all,
        has_more=any(each.is_left for each in outcomes),
        has_raised=any(each.changes and each.has_raise for each in outcomes),
    )


def change_note(outcomes: Sequence[WorkerOutcome]) -> str:
    """Return what an event says of workers that were changed, one of them by its amounts."""
    first = outcomes[0]
    changes = ", ".join(
        f"{key} {first.current.get(key, 'none')} to {quantity}"
        for key, quantity in first.changes.items()
    )
    return f"{_named(outcomes)}: {changes}"


def capped_note(outcomes: Sequence[WorkerOutcome]) -> str:
    """Return what an event says of workers that have less than was decided."""
    return f"{_named(outcomes)}: {'; '.join(each.message for each in outcomes[0].capped)}"


def _state_of_running(modes: Collection[Mode]) -> AppliedState:
    """Return what to say where no layer may change running workers."""
    if Mode.INITIAL in modes:
        text = "no enrolled layer may change running workers; those that start get it"
        return AppliedState(is_true=True, reason=AppliedReason.AT_START, message=text)
    return _not(
        AppliedReason.NOT_ENROLLED,
        "no layer is enrolled with mode apply or initial; workers keep what they have, and those "
        "that start get what they declare",
    )


def _state(
    outcomes: Sequence[WorkerOutcome],
    with_all: int,
    capped: Sequence[WorkerOutcome],
    warnings: Sequence[str],
) -> AppliedState:
    text = f"in force for {with_all} of {len(outcomes)} workers"
    if warnings:
        return _not(AppliedReason.INVALID_DECISION, "; ".join(warnings))
    if any(each.is_left for each in outcomes):
        return _not(AppliedReason.APPLYING, f"{text}, others follow")
    if capped:
        return _not(AppliedReason.CAPPED, f"{text}; less for {capped_note(capped)}")
    return AppliedState(is_true=True, reason=AppliedReason.APPLIED, message=text)


def _named(outcomes: Sequence[WorkerOutcome]) -> str:
    others = len(outcomes) - 1
    return f"worker {outcomes[0].worker}" + (f" and {others} more" if others else "")


def _not(reason: AppliedReason, message: str) -> AppliedState:
    return AppliedState(is_true=False, reason=reason, message=_shortened(message))


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}..."
