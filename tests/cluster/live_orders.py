"""Tells the workers of a live cluster what to use, from the demand of their workloads.

One thread for all of them; a worker learns of a change within a fraction of a second.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from autoscaler.api.names import COMPONENT, GPU_PEAK_TFLOPS, WORKLOAD_LABEL, Component
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.reflector import Reflector
from autoscaler.kube.resource import PODS
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubelet_volumes import empty_dirs
from tests.cluster.live_demand import NOTHING, Demand, Key, amount_at
from tests.cluster.worker_program import VOLUME, Order, give_order
from tests.components.processes import until

Pod = Mapping[str, Any]
EVERY_S = 0.2


class Orders:
    """Gives orders within a ``with`` block; ``want`` may be called from any thread."""

    def __init__(self, plane: ControlPlane, kubelet_root: Path) -> None:
        self._root = kubelet_root
        self._api = ApiServer.from_environment(
            kubeconfig=plane.admin_kubeconfig, user_agent="orders"
        )
        self._pods = Reflector(self._api, PODS, label_selector=f"{COMPONENT}={Component.WORKER}")
        self._demands: Mapping[Key, Demand] = {}
        self._given: dict[Path, Order] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="orders", daemon=True)

    def want(self, key: Key, demand: Demand) -> None:
        """Have a workload want something from now on."""
        self._demands = {**self._demands, key: demand}

    def shown_ratio(self, key: Key) -> float:
        """Return which part of its use a workload has shown."""
        return self._demands.get(key, NOTHING).shown_ratio

    def __enter__(self) -> Self:
        self._pods.start()
        until(lambda: self._pods.has_synced, what="the workers are known")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._pods.stop()
        self._api.close()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            pods = self._pods.store.sorted()
            orders = orders_of(pods, self._demands, time.time())
            given = {
                folder: orders[pod["metadata"]["uid"]]
                for pod in pods
                for folder in [empty_dirs(self._root, pod).get(VOLUME)]
                if folder is not None and folder.exists()
            }
            for folder, order in given.items():
                # A pod may be gone at any moment.
                with suppress(FileNotFoundError):
                    if self._given.get(folder) != order:
                        give_order(folder, order)
            self._given = given


def orders_of(pods: Sequence[Pod], demands: Mapping[Key, Demand], now_s: float) -> dict[str, Order]:
    """Return what each worker is to use, by its UID."""
    serving = Counter(key_of(pod) for pod in pods if is_ready(pod))
    return {
        pod["metadata"]["uid"]: _order(pod, demands.get(key_of(pod), NOTHING), now_s, serving)
        for pod in pods
    }


def key_of(pod: Pod) -> Key:
    """Return namespace and workload of a worker."""
    return pod["metadata"]["namespace"], pod["metadata"]["labels"].get(WORKLOAD_LABEL, "")


def is_ready(pod: Pod) -> bool:
    """Return whether a balancer would send requests to a pod."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    is_leaving = "deletionTimestamp" in pod["metadata"]
    return not is_leaving and any(
        (each["type"], each["status"]) == ("Ready", "True") for each in conditions
    )


def _order(pod: Pod, demand: Demand, now_s: float, serving: Counter[Key]) -> Order:
    """Return the order of one worker; none that is not placed yet uses a card's time."""
    tflops, peak = amount_at(demand.tflops, now_s), peak_tflops(pod)
    if demand.is_shared:
        tflops = tflops / serving[key_of(pod)] if is_ready(pod) else 0.0
    return Order(
        duty=min(tflops / peak, 1.0) if peak else 0.0,
        vram_bytes=int(amount_at(demand.vram_bytes, now_s)),
    )


def peak_tflops(pod: Pod) -> float:
    """Return what the card of a worker can do; 0 where it has none yet."""
    return float((pod["metadata"].get("annotations") or {}).get(GPU_PEAK_TFLOPS, 0.0))
