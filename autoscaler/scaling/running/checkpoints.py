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
from autoscaler.scaling import starting
from autoscaler.scaling.collect.collecting import Position
from autoscaler.scaling.running.counts.tick_counts import CHECKPOINT
from autoscaler.scaling.running.warming import History
from recommender.sentences import duration
from recommender.usage.model import UsageModel

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from autoscaler.scaling.loop import Loop
    from autoscaler.scaling.running.counts.tick_counts import TickCounts

READ_AT_ONCE_S = 1800
"""A gap of so much is read by the first tick itself, which takes little longer for it."""
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
        checkpoint, _ = starting.usable_checkpoint(self._loop, self._path, since_s, now_s=now_s)
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
            self.size_bytes = starting.save(self._loop, self._path)
        except AutoscalerError as error:
            self._counts.stage(CHECKPOINT, self._monotonic_s() - begin_s, error)
            raise
        self.saved_s = self._now_s()
        self._counts.stage(CHECKPOINT, self._monotonic_s() - begin_s)


def _read_until_s(position: Position, amounts: Container[str]) -> int:
    """Return up to where all amounts were read; what is joined to them may lag for ever."""
    ends_s = position.read_until_s
    return min((ends_s[metric] for metric in ends_s if metric in amounts), default=0)
