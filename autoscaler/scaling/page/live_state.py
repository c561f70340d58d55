"""What the loop saw last, for readers on other threads.

A tick hands over references to what no later tick changes, so that this costs the loop nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from recommender.policy.model import Mode
from recommender.sentences import duration

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.collect.series import RowKey
    from autoscaler.scaling.records import Records
    from recommender.resources import Resource

Key = tuple[str, str]
"""(namespace, workload)."""


@dataclass(frozen=True, kw_only=True)
class LiveState:
    """The last tick that saw the cluster.  Rows of ``views`` and ``keys`` are the same."""

    now_s: int
    mode: Mode
    holds: tuple[str, ...]
    """Why only some changes pass now, in words; empty where nothing is held."""
    views: Sequence[WorkloadView]
    keys: Sequence[RowKey]
    records: Records
    """Read under its own lock."""
    resources: Sequence[Resource]

    @cached_property
    def rows(self) -> Mapping[Key, Sequence[int]]:
        """Rows of each workload, one for each GPU model."""
        rows: dict[Key, list[int]] = {}
        for row, view in enumerate(self.views):
            rows.setdefault(view.key, []).append(row)
        return rows

    def line(self, every_s: float) -> str:
        """Return the state in one line for the head of the page."""
        does = {
            Mode.RECOMMEND: "nothing is changed",
            Mode.APPLY: "what is enrolled is changed",
        }
        parts = [f"Live, mode {self.mode}: {does.get(self.mode, '')}".rstrip(": ")]
        parts += [f"only raises pass: {hold}" for hold in self.holds]
        parts.append(f"made anew at most every {duration(every_s)}, while it is read")
        return " · ".join(parts)
