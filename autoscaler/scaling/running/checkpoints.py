"""The state file of the process: used where it can be, written regularly and at the end.

Where it cannot be used, or ends long ago, the history is read beside the loop (``warming``), so
that nobody waits for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.errors import AutoscalerError
from autoscaler.scaling import state_file
from autoscaler.scaling.collect.collecting import Position
from autoscaler.scaling.running.counts.tick_counts import CHECKPOINT
from autoscaler.scaling.running.warming import History
from recommender.errors import CheckpointError
from recommender.sentences import duration
from recommender.usage.model import UsageModel

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from autoscaler.scaling.checkpointing import Checkpoint
    from autoscaler.scaling.loop import Loop
    from autoscaler.scaling.running.counts.tick_counts import TickCounts

READ_AT_ONCE_S = 1800
"""A gap of so much is read by the first tick itself, which takes little longer for it."""
FUTURE_S = 300
"""Clocks of two machines may differ by so much."""
_log = logging.getLogger(__name__)


class Checkpoints:
    """Reads and writes the state of one loop, on the loop's thread.

    ``is_whole`` returns whether the loop knows its history: half of one would be taken for all of
    it at the next start.  Without a path nothing is kept.
    """

    def __init__(
        self,
        loop: Loop,
        path: Path | None,
        counts: TickCounts,
        *,
        is_whole: Callable[[], bool],
        monotonic_s: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._loop = loop
        self._path = path
        self._counts = counts
        self._is_whole = is_whole
        self._monotonic_s = monotonic_s
        self._now_s = now_s
        self.size_bytes: int | None = None
        """Of the last one; None: none was written by this process."""
        self.saved_s: float | None = None
        """UTC seconds of the last one."""

    def begin(self, since_s: int, *, now_s: int) -> History | None:
        """Let the loop go on from its state; return what of the history is to be read beside it.

        The wanted history begins at ``since_s``.  None: the first ticks read what is missing.
        Raises ``UsageError`` where the path can never hold a state.
        """
        resources = self._loop.model.resources
        if self._path is None:
            _log.info("no state is kept (--state-file); the history is read")
            return History(since_s=since_s, model=UsageModel(resources))
        checkpoint = self._usable(self._path, since_s, now_s)
        if checkpoint is None:
            return History(since_s=since_s, model=UsageModel(resources))
        position = checkpoint.position
        gap_s = now_s - _read_until_s(position, {resource.name for resource in resources})
        if gap_s <= READ_AT_ONCE_S:
            self._loop.go_on_from(checkpoint)
            _log.info("the state of %s was restored", self._path)
            return None
        short = replace(checkpoint, model=UsageModel(resources), position=Position(read_until_s={}))
        self._loop.go_on_from(short)
        _log.info(
            "the state of %s was restored; %s that it lacks are read", self._path, duration(gap_s)
        )
        return History(since_s=since_s, model=checkpoint.model, position=position)

    def save(self) -> None:
        """Write the state, unless the history is still being read.  Raises ``AutoscalerError``."""
        if self._path is None or not self._is_whole():
            return
        begin_s = self._monotonic_s()
        try:
            data = self._loop.checkpoint()
            state_file.save(self._path, data)
        except AutoscalerError as error:
            self._counts.stage(CHECKPOINT, self._monotonic_s() - begin_s, error)
            raise
        self.size_bytes, self.saved_s = len(data), self._now_s()
        self._counts.stage(CHECKPOINT, self._monotonic_s() - begin_s)

    def _usable(self, path: Path, since_s: int, now_s: int) -> Checkpoint | None:
        """Return what the state file holds; None where there is none, or it cannot be used."""
        data = state_file.load(path)
        if data is None:
            _log.info("there is no state file %s yet; the history is read", path)
            return None
        try:
            checkpoint = self._loop.read_checkpoint(data)
            reason = _age_problem(checkpoint.position.read_until_s, since_s, now_s)
        except CheckpointError as error:
            reason = str(error)
        else:
            if not reason:
                if checkpoint.forgotten:
                    told = "what forecasts had learned is not in the state file %s: %s"
                    _log.warning(told, path, checkpoint.forgotten)
                return checkpoint
        text = "the state file %s cannot be used: %s; it was kept%s, and the history is read again"
        _log.warning(text, path, reason, _aside(path))
        return None


def _read_until_s(position: Position, amounts: Container[str]) -> int:
    """Return up to where all amounts were read; what is joined to them may lag for ever."""
    ends_s = position.read_until_s
    return min((ends_s[metric] for metric in ends_s if metric in amounts), default=0)


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
