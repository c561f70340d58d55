"""Writes reserved placements, and knows of each whether it was written.

A write whose answer got lost may still come through.  Its reservation is kept, and the same write
is made again until the API server has told how it stands: the pod's version lets only one of them
through, and both say the same.
"""

from __future__ import annotations

from threading import Lock

from autoscaler.errors import ConflictError, KubeError, NotFoundError, ThrottledError
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Object, key_of
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.nodes.node_books import NodeBooks
from autoscaler.workloads.outcome import is_surely_not_written
from autoscaler.workloads.placement.placement import placement_patch
from autoscaler.workloads.placement.placement_deciding import Placement
from autoscaler.workloads.tools import Tools


class PlacementWriting:
    """Writes placements; thread-safe, one thread for one pod at a time."""

    def __init__(self, tools: Tools, node_books: NodeBooks) -> None:
        self._tools = tools
        self._node_books = node_books
        self._lock = Lock()
        self._open: dict[tuple[str, str], tuple[Placement, str]] = {}
        """Namespace and name of pods to placements that are being written, that are yet to be, or
        of which nobody knows whether they were, and the version of the pod that each is for."""

    def open_placement(self, pod: Object) -> Placement | None:
        """Return the placement of a pod that is to be written again; None: there is none.

        That of another version of the pod is none: its write cannot come through any more, and the
        pod may ask for other amounts by now.
        """
        metadata = pod["metadata"]
        with self._lock:
            placement, version = self._open.get(key_of(pod), (None, ""))
        if placement is None or version != metadata["resourceVersion"]:
            return None
        return placement if placement.claim.uid == metadata["uid"] else None

    def is_open(self, namespace: str, name: str) -> bool:
        """Return whether a pod is being placed, or is to be written again."""
        with self._lock:
            return (namespace, name) in self._open

    def conclude(self, pod: Object) -> None:
        """Let a pod that is gated no more say what became of its placement, if that is open."""
        with self._lock:
            placement, _ = self._open.get(key_of(pod), (None, ""))
        if placement is not None:
            self._conclude(pod, placement)

    def forget(self, namespace: str, name: str) -> None:
        """Give back what was reserved for a pod that is gone, or is another one by now."""
        with self._lock:
            placement, _ = self._open.pop((namespace, name), (None, ""))
        if placement is not None:
            self._release(placement)

    def write(self, pod: Object, placement: Placement) -> None:
        """Place a pod in the version that was seen.

        Raises a ``KubeError``; the reservation is given back where nothing was written for sure,
        but kept where the API server only asks to wait.
        """
        was_open = self.open_placement(pod) is not None
        self._keep_open(pod, placement)
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
        except ThrottledError:
            raise  # it is written a bit later
        except KubeError as error:
            if is_surely_not_written(error) and not was_open:
                self._give_up(pod, placement)
            raise
        self._settle(written, placement)

    def _look(self, pod: Object, placement: Placement) -> None:
        """Let the live pod, which has changed, say whether this placement came through."""
        namespace, name = key_of(pod)
        live = self._tools.writer.write(lambda api: api.get(PODS, name, namespace))
        # Its version is past that of the patch, which cannot come through any more.
        self._conclude(live, placement)

    def _conclude(self, pod: Object, placement: Placement) -> None:
        """Let a pod that is not what it was when it was written say what became of that."""
        names = tuple(card.name for card in placement.cards)
        if pod["metadata"]["uid"] == placement.claim.uid and gpus_of(pod) == names:
            self._settle(pod, placement)
        else:
            self._give_up(pod, placement)

    def _settle(self, pod: Object, placement: Placement) -> None:
        with self._lock:
            self._open.pop(key_of(pod), None)
        version = int(pod["metadata"]["resourceVersion"])
        self._tools.books.settle(placement.claim.uid, placement.claim, version)

    def _give_up(self, pod: Object, placement: Placement) -> None:
        # Open until its room is given back, so that this does not bring the pod here at once.
        self._release(placement)
        with self._lock:
            self._open.pop(key_of(pod), None)

    def _release(self, placement: Placement) -> None:
        self._tools.books.cancel(placement.claim.uid)
        self._node_books.drop(placement.claim.uid)

    def _keep_open(self, pod: Object, placement: Placement) -> None:
        with self._lock:
            self._open[key_of(pod)] = placement, pod["metadata"]["resourceVersion"]
