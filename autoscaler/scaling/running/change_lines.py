"""What the log of the process tells of changes: a line for each, and no more than some in a tick.

For whoever reads the log of a pod.  The decision log has all of them, and the page has the way to
each number.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from autoscaler.scaling.records import APPLIED, CAPPED, ROLLED_BACK
from recommender.resources import resource_named
from recommender.sentences import counted, transition

if TYPE_CHECKING:
    from autoscaler.scaling.loop import Tick
    from autoscaler.scaling.records import Records, WorkloadKey
    from recommender.report.blocks import HistoryEntry

MOST_LINES = 10
"""Lines of one tick; in a large fleet hundreds of limits may move at once."""
_NAMES = {"requests": "request", "limits": "limit"}
"""What a layer changes; of replicas the resource says it."""
_log = logging.getLogger("autoscaler.scaling")


class ChangeLines:
    """Logs the tried changes that are recorded during a tick, when it is shown."""

    def __init__(self, records: Records) -> None:
        self._new: list[tuple[WorkloadKey, HistoryEntry]] = []
        records.on_history(lambda key, entry: self._new.append((key, entry)))

    def __call__(self, _tick: Tick) -> None:
        """Log what was tried since the last call."""
        new, self._new = self._new, []
        for key, entry in new[:MOST_LINES]:
            _log.info("%s/%s: %s", *key, change_line(entry))
        if len(new) > MOST_LINES:
            _log.info("... and %s more in this tick", counted(len(new) - MOST_LINES, "change"))


def change_line(entry: HistoryEntry) -> str:
    """Return one change, what became of it unless it was applied, and why it was asked for."""
    what = _NAMES.get(entry.layer, entry.resource)
    resource = resource_named(entry.resource) if entry.layer in _NAMES else None
    outcome = entry.outcome
    if not outcome.startswith((APPLIED, CAPPED, ROLLED_BACK)):
        outcome = f"not changed, {outcome}"
    told = "" if outcome == APPLIED else f" ({outcome})"
    return f"{what} {transition(entry.before, entry.after, resource)}{told}: {entry.reason}"
