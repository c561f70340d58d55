"""Writes reserved placements, and knows of each whether it was written.

A write whose answer got lost may still come through.  Its reservation is kept, and the same write
is made again until the API server has told how it stands: the pod's version lets only one of them
through, and both say the same.
"""

from __future__ import annotations

from threading import Lock

from autoscaler.errors import ConflictError, KubeError, NotFoundError
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Object, key_of
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.node_books import NodeBooks
from autoscaler.workloads.outcome import is_surely_not_written
from autoscaler.workloads.placement import placement_patch
from autoscaler.workloads.placement_deciding import Placement
from autoscaler.workloads.tools import Tools


class PlacementWriting:
    """Writes placements; thread-safe, one thread for one pod at a time."""

    def __init__(self, tools: Tools, node_books: NodeBooks) -> None:
        self._tools = tools
        self._node_books = node_books
        self._lock = Lock()
        self._open: dict[tuple[str, str], Placement] = {}
        """Namespace and name of pods to placements of which nobody knows whether they were
        written."""

    def open_placement(self, pod: Object) -> Placement | None:
        """Return the placement of a pod that is to be written again; None: there is none."""
        with self._lock:
            placement = self._open.get(key_of(pod))
        is_same = placement is not None and placement.claim.uid == pod["metadata"]["uid"]
        return placement if is_same else None

    def forget(self, namespace: str, name: str) -> None:
        """Give back what was reserved for a pod that is gone, or another one of its name."""
        with self._lock:
            placement = self._open.pop((namespace, name), None)
        if placement is not None:
            self._release(placement)

    def write(self, pod: Object, placement: Placement) -> None:
        """Place a pod in the version that was seen.

        Raises a ``KubeError``; the reservation is given back where nothing was written for sure.
        """
        namespace, name = key_of(pod)
        patch = placement_patch(pod, placement.cards, placement.hostname)
        try:
            written = self._tools.writer.write(
                lambda api: api.strategic_patch(PODS, name, patch, namespace)
            )
        except NotFoundError:
            self._give_up(pod, placement)
            raise
        except ConflictError:
            self._look(pod, placement)
            raise
        except KubeError as error:
            if is_surely_not_written(error) and self.open_placement(pod) is None:
                self._give_up(pod, placement)
            else:
                self._keep_open(pod, placement)
            raise
        self._settle(written, placement)

    def _look(self, pod: Object, placement: Placement) -> None:
        """Let the live pod, which has changed, say whether this placement came through."""
        self._keep_open(pod, placement)
        namespace, name = key_of(pod)
        live = self._tools.writer.write(lambda api: api.get(PODS, name, namespace))
        names = tuple(card.name for card in placement.cards)
        if live["metadata"]["uid"] == placement.claim.uid and gpus_of(live) == names:
            self._settle(live, placement)
        else:
            # Its version is past that of the patch, which cannot come through any more.
            self._give_up(pod, placement)

    def _settle(self, pod: Object, placement: Placement) -> None:
        with self._lock:
            self._open.pop(key_of(pod), None)
        version = int(pod["metadata"]["resourceVersion"])
        self._tools.books.settle(placement.claim.uid, placement.claim, version)

    def _give_up(self, pod: Object, placement: Placement) -> None:
        with self._lock:
            self._open.pop(key_of(pod), None)
        self._release(placement)

    def _release(self, placement: Placement) -> None:
        self._tools.books.cancel(placement.claim.uid)
        self._node_books.drop(placement.claim.uid)

    def _keep_open(self, pod: Object, placement: Placement) -> None:
        with self._lock:
            self._open[key_of(pod)] = placement
