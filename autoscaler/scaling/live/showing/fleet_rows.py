"""The rows of a tick by workload, and which of them were made anew since the tick before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscaler.kube.store import Key
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.live.showing.recommended import Identity


class FleetRows:
    """Rows by workload; those of one workload are one for each GPU model."""

    def __init__(self) -> None:
        self._views: tuple[WorkloadView, ...] = ()
        self.of: Mapping[Key, tuple[int, ...]] = {}
        """Rows of each workload."""
        self.identities: tuple[Identity, ...] = ()
        """Of each row; the same object as long as nothing in it changes."""

    def take(self, views: Sequence[WorkloadView]) -> frozenset[Key]:
        """Take over the views of a tick; return the workloads of which one is another object."""
        known = {id(view) for view in self._views}
        changed = frozenset(view.key for view in views if id(view) not in known)
        if not changed and len(views) == len(self._views):
            return changed
        self._views = tuple(views)
        rows: dict[Key, list[int]] = {}
        for row, view in enumerate(views):
            rows.setdefault(view.key, []).append(row)
        lost = {key for key, before in self.of.items() if len(before) != len(rows.get(key, ()))}
        self.of = {key: tuple(of_key) for key, of_key in rows.items()}
        identities = tuple((*view.key, view.gpu_model, view.uid) for view in views)
        if identities != self.identities:
            self.identities = identities
        return changed | (lost & self.of.keys())
