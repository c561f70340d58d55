"""Starting the loop: from the state that an earlier process left, or from the source's history.

A state is a cache.  One that cannot be used is set aside and said in the log, and what it held is
read from the source again; a source that does not answer stops nothing, for whatever was not read
is read by the ticks that follow.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.errors import AutoscalerError
from autoscaler.scaling import state_file
from recommender.errors import CheckpointError
from recommender.sentences import duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from autoscaler.scaling.checkpointing import Checkpoint
    from autoscaler.scaling.collect.collecting import Collected
    from autoscaler.scaling.loop import Loop

FUTURE_S = 300
"""Clocks of two machines may differ by so much."""

_log = logging.getLogger("autoscaler.scaling")


class StartKind(StrEnum):
    """Where the usage of a loop came from."""

    NEW = "new"
    """There was no state; the history was read."""
    RESTORED = "restored"
    """From the state; what came since was read."""
    REBUILT = "rebuilt"
    """The state could not be used; the history was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """How a loop was started."""

    kind: StartKind
    reason: str = ""
    """Why the state was not used; empty where it was, or where there was none."""
    collected: Collected | None = None
    """What was read; None where nothing could be."""
    errors: Mapping[str, AutoscalerError] = field(default_factory=lambda: MappingProxyType({}))
    """Stage (``collect``, ``snapshot``) to its error; the ticks go on where it stopped."""


def start(loop: Loop, state_path: Path | None, since_s: int, *, now_s: int) -> Started:
    """Make a new loop ready to tick.

    Its state is used where the file holds one that reaches beyond ``since_s``, the beginning of the
    history that is wanted (UTC seconds); otherwise that history is read.  Raises ``UsageError``
    where the path can never hold a state.
    """
    kind, reason = StartKind.NEW, ""
    if state_path is not None:
        kind, reason = _restored(loop, state_path, since_s, now_s)
    collected, errors = loop.catch_up(since_s)
    for stage, error in errors.items():
        _log.warning("At the start, the stage %s failed and is tried again: %s", stage, error)
    return Started(kind=kind, reason=reason, collected=collected, errors=errors)


def save(loop: Loop, state_path: Path) -> int:
    """Write the loop's state to its file; return its size in bytes.

    Raises ``UsageError`` for a path that can never be written, and ``AutoscalerError`` where
    writing failed this time; the state written before is then still there.
    """
    data = loop.checkpoint()
    state_file.save(state_path, data)
    return len(data)


def usable_checkpoint(
    loop: Loop, path: Path, since_s: int, *, now_s: int
) -> tuple[Checkpoint | None, str]:
    """Return what a state file holds, or None and why it cannot be used.

    A file that cannot be used is set aside; one that is not there is no reason.  Errors as those of
    ``start``.
    """
    data = state_file.load(path)
    if data is None:
        _log.info("There is no state file %s yet; the history is read from the source.", path)
        return None, ""
    try:
        checkpoint = loop.read_checkpoint(data)
        reason = _age_problem(checkpoint.position.read_until_s, since_s, now_s)
    except CheckpointError as error:
        reason = str(error)
    else:
        if not reason:
            return checkpoint, ""
    _log.warning(
        "The state file %s cannot be used: %s.  It was kept%s, and the history is read from the "
        "source again.",
        path,
        reason,
        _aside(path),
    )
    return None, reason


def _restored(loop: Loop, path: Path, since_s: int, now_s: int) -> tuple[StartKind, str]:
    checkpoint, reason = usable_checkpoint(loop, path, since_s, now_s=now_s)
    if checkpoint is None:
        return StartKind.REBUILT if reason else StartKind.NEW, reason
    loop.go_on_from(checkpoint)
    _log.info("The state of %s was restored.", path)
    return StartKind.RESTORED, ""


def _age_problem(read_until_s: Mapping[str, int], since_s: int, now_s: int) -> str:
    if not read_until_s:
        return "nothing had been read when it was written"
    newest_s = max(read_until_s.values())
    if newest_s > now_s + FUTURE_S:
        return f"it is {duration(newest_s - now_s)} ahead of the clock"
    if newest_s < since_s:
        return (
            f"it ends {duration(now_s - newest_s)} ago, before the history of "
            f"{duration(now_s - since_s)} that is wanted"
        )
    return ""


def _aside(path: Path) -> str:
    try:
        return f" as {state_file.set_aside(path)}"
    except AutoscalerError as error:
        return f" where it is ({error})"
