"""What the pods of a pool hold of its GPUs, followed from event to event.

The API server tells of every state of every pod in their order, so that nothing is missed but what
happens while it is down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from threading import Lock
from types import TracebackType
from typing import Any, Self

from autoscaler.api.names import POOL_LABEL
from autoscaler.workloads.pod_state import has_ended
from tests.cluster.control_plane import ControlPlane
from tests.cluster.gpu_bookings import tflops_by_gpu
from tests.cluster.pod_watch import PodWatch
from tests.cluster.rest import Rest

Object = Mapping[str, Any]


class GpuLedger:
    """Follows the pods of one pool within a ``with`` block; safe for several threads."""

    def __init__(self, plane: ControlPlane, pool: str) -> None:
        self._lock = Lock()
        self._pods: dict[str, Object] = {}
        self._held: dict[str, Mapping[str, Decimal]] = {}
        self._most: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._placed: set[str] = set()
        self._rest = Rest(plane)
        self._watch = PodWatch(
            self._rest,
            lambda pod: pod["metadata"].get("labels", {}).get(POOL_LABEL) == pool,
            on_list=self._take_list,
            on_event=self._take_event,
        )

    @property
    def pods(self) -> list[Object]:
        """Return the pods that have not ended; those that terminate still hold their GPUs."""
        with self._lock:
            return [pod for pod in self._pods.values() if not has_ended(pod)]

    @property
    def most_tflops(self) -> dict[str, Decimal]:
        """Return the most that was ever held of each GPU at one moment, by UUID."""
        with self._lock:
            return dict(self._most)

    @property
    def tflops(self) -> Decimal:
        """Return what is held of all GPUs together."""
        with self._lock:
            return sum(
                (tflops for held in self._held.values() for tflops in held.values()), Decimal()
            )

    @property
    def placed(self) -> int:
        """Return how many pods were ever given a GPU."""
        with self._lock:
            return len(self._placed)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watch.stop()
        self._rest.close()

    def _take_list(self, pods: Sequence[Object]) -> None:
        with self._lock:
            self._pods.clear()
            self._held.clear()
            for pod in pods:
                self._take(pod)
            self._sum()

    def _take_event(self, event: Object) -> None:
        pod = event["object"]
        with self._lock:
            if event["type"] == "DELETED":
                self._pods.pop(pod["metadata"]["uid"], None)
                self._held.pop(pod["metadata"]["uid"], None)
            else:
                self._take(pod)
                self._sum()

    def _take(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        self._pods[uid] = pod
        self._held[uid] = {} if has_ended(pod) else tflops_by_gpu([pod])
        if self._held[uid]:
            self._placed.add(uid)

    def _sum(self) -> None:
        together: defaultdict[str, Decimal] = defaultdict(Decimal)
        for held in self._held.values():
            for gpu, tflops in held.items():
                together[gpu] += tflops
        for gpu, tflops in together.items():
            self._most[gpu] = max(self._most[gpu], tflops)
