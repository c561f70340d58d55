"""Pods that meet a running controller: how soon they have GPUs, and what was decided for them.

The time of each counts until a watch of this process shows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from typing import Any

from autoscaler.api.names import PLACEMENT_GATE, PREFIX
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.reflector import Reflector
from autoscaler.kube.resource import PODS, STATEFUL_SETS
from autoscaler.kube.store import Change, Object
from tests.benchmarks import gpu_cells
from tests.benchmarks.gpu_cells import NAMESPACE
from tests.benchmarks.gpu_filling import administrator, decide_at_once
from tests.benchmarks.latencies import at_rate
from tests.cluster.control_plane import ControlPlane
from tests.components.processes import until

AT_ONCE = 16
"""Threads that create pods."""
DEADLINE_S = 60.0
NUMBERS = count(50_000)
"""Of workers beside those of the filled cluster."""


class Sighting:
    """Notes when pods are seen first for which something is true."""

    def __init__(self, is_so: Callable[[Object], bool]) -> None:
        self._is_so = is_so
        self.seen_s: dict[str, float] = {}

    def __call__(self, change: Change) -> None:
        """Look at one change of a pod."""
        if change.new is not None and self._is_so(change.new):
            self.seen_s.setdefault(change.new["metadata"]["name"], time.perf_counter())

    def wait_for(self, names: Sequence[str], what: str) -> None:
        """Wait until all of these pods were seen."""
        until(lambda: set(names) <= self.seen_s.keys(), what=what, deadline_s=DEADLINE_S)


@contextmanager
def watching(api: ApiServer, is_so: Callable[[Object], bool]) -> Iterator[Sighting]:
    """Watch all pods within a block."""
    sighting = Sighting(is_so)
    reflector = Reflector(api, PODS, namespace=NAMESPACE)
    reflector.store.on_change(sighting)
    reflector.start()
    try:
        if not reflector.wait_until_synced(DEADLINE_S):
            raise TimeoutError(f"no list of pods within {DEADLINE_S:g} s")
        yield sighting
    finally:
        reflector.stop()


def gated_s(plane: ControlPlane, rate_per_s: float, pods: int) -> list[float]:
    """Create pods of new workloads at a steady rate.

    Returns for each the seconds from the answer of its creation until its gate is gone.
    """
    with closing(administrator(plane)) as api, ThreadPoolExecutor(AT_ONCE) as executor:
        numbers = [next(NUMBERS) for _ in range(pods)]
        made = executor.map(
            lambda number: api.create(STATEFUL_SETS, gpu_cells.stateful_set(number)), numbers
        )
        owners = [each["metadata"]["uid"] for each in made]
        created_s: dict[str, float] = {}

        def create(number: int, owner_uid: str) -> None:
            made = api.create(PODS, gpu_cells.pod(number, owner_uid))
            if not has_gate(made):
                raise AssertionError(f"a pod was not admitted: {made}")
            created_s[made["metadata"]["name"]] = time.perf_counter()

        with watching(api, lambda pod: not has_gate(pod)) as placed:
            asks = [partial(create, *each) for each in zip(numbers, owners, strict=True)]
            at_rate(asks, every_s=1 / rate_per_s, executor=executor)
            placed.wait_for(list(created_s), "all pods are placed")
    return [max(placed.seen_s[name] - time_s, 0.0) for name, time_s in created_s.items()]


def raised_s(plane: ControlPlane, workers: int, decided: dict[str, Any]) -> list[float]:
    """Let something be decided for many workloads at once; return when each worker has it."""
    wanted = decided["requests"]["tflops"]
    names = [gpu_cells.pod_name(number) for number in range(workers)]

    def has_it(pod: Object) -> bool:
        found = pod["metadata"]["annotations"].get(f"{PREFIX}tflops-request")
        return bool(found == wanted)

    with closing(administrator(plane)) as api, watching(api, has_it) as raised:
        begin_s = time.perf_counter()
        decide_at_once(plane, workers, decided)
        raised.wait_for(names, "all workers have what was decided")
    return [raised.seen_s[name] - begin_s for name in names]


def has_gate(pod: Object) -> bool:
    """Return whether a pod waits for its GPUs."""
    gates = pod["spec"].get("schedulingGates") or ()
    return any(gate["name"] == PLACEMENT_GATE for gate in gates)
