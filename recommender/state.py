"""What earlier decisions left for later ones: windows, last changes, watched changes.

``decide`` returns a new state and leaves its argument untouched.  One row per workload, in the
order of the observation; ``aligned`` carries rows over when the fleet changes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Bools, Floats, Ints

NEVER = np.int64(-(2**62))
"""A time before all times, so that ages need no special case."""
CHANGES_KEPT = 4
FIRST_WINDOW = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionState:
    """State of a fleet: ``[W, R]``, ``[W]`` or with a last axis of remembered events."""

    uid: NDArray[np.str_]
    # amounts of the last tick of each layer
    target_request: Floats
    target_limit: Floats
    target_replicas: Floats
    raw_request: Floats
    raw_limit: Floats
    raw_replicas: Floats
    lower_request: Floats
    upper_request: Floats
    start_request: Floats
    start_limit: Floats
    # when each amount was last evaluated
    request_evaluated_s: Ints
    limit_evaluated_s: Ints
    # pace of requests: the last changes
    request_change_s: Ints
    """[W, R, CHANGES_KEPT] newest first; NEVER where there was none."""
    request_change_before: Floats
    request_before_cron: Floats
    """In force when a cron rule raised it; NaN: no cron rule did."""
    segment_change_s: Ints
    """When a request was changed because a learned part of the day began; NEVER: not yet."""
    segment_change_before: Floats
    # pace of limits: value at the start of the running minute of decreases
    limit_anchor_s: Ints
    limit_anchor: Floats
    limit_raise_s: Ints
    """When a limit was last raised: samples from before say nothing of it."""
    seen_request: Floats
    """In force at the last tick, to notice when workers start with a lowered VRAM amount."""
    seen_limit: Floats
    last_limits_tick_s: Ints
    """[W]"""
    answered_until_s: Ints
    """[W] refused allocations before it were answered by an earlier process, or are history."""
    # watched decreases and roll-backs
    request_decrease_s: Ints
    request_before_decrease: Floats
    limit_decrease_s: Ints
    limit_before_decrease: Floats
    no_decrease_until_s: Ints
    # replicas: wishes of the cool-down windows and changes of the rate windows
    wish_s: Ints
    """[W, N] times of recommendations, any order; N grows when a window needs it."""
    wish: Floats
    scaled_s: Ints
    """[W, M] times of changes."""
    scaled_by: Floats
    scaled_from: Floats
    # fleet budget
    budget_s: Ints
    """[W] when this workload was last charged to the fleet's budget."""
    raise_charged_s: Ints
    """[W] when it was last charged for a raise."""
    granted_s: Ints
    """[W] when it was last granted a change, whether it was made or not."""

    @property
    def shape(self) -> tuple[int, int]:
        """(W, R)."""
        return self.target_request.shape[0], self.target_request.shape[1]


_TIMES = {
    "request_evaluated_s",
    "limit_evaluated_s",
    "segment_change_s",
    "limit_anchor_s",
    "limit_raise_s",
    "request_decrease_s",
    "limit_decrease_s",
    "no_decrease_until_s",
}
_ROW_FLOATS = {"target_replicas", "raw_replicas"}
_ROW_TIMES = {
    "budget_s",
    "raise_charged_s",
    "granted_s",
    "last_limits_tick_s",
    "answered_until_s",
}


def empty_state(uid: NDArray[np.str_], resources: int) -> DecisionState:
    """Return the state of workloads that nothing was decided for."""
    rows = len(uid)
    columns: dict[str, object] = {"uid": uid}
    for item in fields(DecisionState):
        if item.name == "uid":
            continue
        if item.name in _TIMES:
            columns[item.name] = np.full((rows, resources), NEVER)
        elif item.name in _ROW_TIMES:
            columns[item.name] = np.full(rows, NEVER)
        elif item.name == "request_change_s":
            columns[item.name] = np.full((rows, resources, CHANGES_KEPT), NEVER)
        elif item.name == "request_change_before":
            columns[item.name] = np.full((rows, resources, CHANGES_KEPT), np.nan)
        elif item.name in {"wish_s", "scaled_s"}:
            columns[item.name] = np.full((rows, FIRST_WINDOW), NEVER)
        elif item.name in {"wish", "scaled_by", "scaled_from"}:
            columns[item.name] = np.full((rows, FIRST_WINDOW), np.nan)
        elif item.name in _ROW_FLOATS:
            columns[item.name] = np.full(rows, np.nan)
        else:
            columns[item.name] = np.full((rows, resources), np.nan)
    return DecisionState(**columns)  # type: ignore[arg-type]


def evaluable(state: DecisionState) -> DecisionState:
    """Return the state as if every evaluation period had passed, to look at what is right now."""
    return replace(
        state,
        request_evaluated_s=np.full_like(state.request_evaluated_s, NEVER),
        limit_evaluated_s=np.full_like(state.limit_evaluated_s, NEVER),
    )


def aligned(state: DecisionState, previous_row: Ints, uid: NDArray[np.str_]) -> DecisionState:
    """Carry ``state`` over to a fleet whose row i was row ``previous_row[i]`` (-1: new).

    A row whose uid changed starts anew: the workload was re-created under its old name.
    """
    fresh = empty_state(uid, state.shape[1])
    same: Bools = previous_row >= 0
    same = same.copy()
    same[same] = state.uid[previous_row[same]] == uid[same]
    carried: dict[str, object] = {}
    for item in fields(DecisionState):
        if item.name == "uid":
            continue
        old, new = getattr(state, item.name), getattr(fresh, item.name)
        if old.shape[1:] != new.shape[1:]:
            filler = NEVER if old.dtype == np.int64 else np.nan
            new = np.full((len(uid), *old.shape[1:]), filler, old.dtype)
        new[same] = old[previous_row[same]]
        carried[item.name] = new
    return replace(fresh, **carried)  # type: ignore[arg-type]
