"""What the controller computes, without an API server: looks at what is settled, and placements.

Run as ``python -m tests.benchmarks.controller_alone NODES`` in a process of its own: it prints one
line of JSON.  All times are CPU seconds.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from timeit import repeat
from typing import Any

from autoscaler.api.names import PREFIX
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Object
from autoscaler.workloads.books.observed_claims import observed_claims
from autoscaler.workloads.nodes.node_books import NodeBooks
from autoscaler.workloads.placement.choose import Choice, PlacementMode, choose
from autoscaler.workloads.placement.demand import demand_of
from autoscaler.workloads.placement.placement_deciding import Placement, PlacementDeciding
from autoscaler.workloads.resync import all_keys
from autoscaler.workloads.work import WorkKind
from tests.benchmarks.gpu_cells import POOL, WORKERS_OF_A_NODE, pod
from tests.benchmarks.settled_controller import InMemory, admitted, copies, settled_node

ROUNDS = 5
"""The best one counts."""
CHOICES = 100
"""Calls of ``choose``, of which the best one counts, too."""
LOOKED = 1_000
"""Objects of each kind."""
PLACED = 500
"""At most; the GPUs have room for as many workers as there are."""
LOOKS = (WorkKind.WORKLOAD, WorkKind.POD, WorkKind.GPU)
ASKING = {
    "one": {},
    "four": {"gpu-count": "4"},
    "none": {"gpu-count": "9"},
}
"""Workers by what they ask for; nine GPUs are on no node."""


def main(nodes: int) -> dict[str, Any]:
    filled = copies(settled_node(), nodes)
    begin_s = time.process_time()
    controller = filled()
    caches_s = time.process_time() - begin_s
    gc.collect()
    gc.freeze()
    return {
        "workloads": nodes * WORKERS_OF_A_NODE,
        "caches_s": caches_s,
        "check_s": best_s(lambda: check_books(controller)),
        "looks": looks(controller),
        "choices": {name: choice_s(controller, stated) for name, stated in ASKING.items()},
        "decide_s": decide_s(controller, min(PLACED, nodes * WORKERS_OF_A_NODE)),
    }


def best_s(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the CPU seconds of the best one of some calls."""
    return min(repeat(work, number=1, repeat=rounds, timer=time.process_time))


def check_books(controller: InMemory) -> None:
    """Compare the books with all pods, as it is done now and then while nobody may decide."""
    tools = controller.parts.tools
    pods = tools.cluster.store(PODS).items()
    drift = tools.books.drift(observed_claims(pods, tools.books.card))
    if drift:
        raise AssertionError(f"the books of {drift} differ from the pods")


def looks(controller: InMemory) -> dict[str, float]:
    """Return the time of one look at an object in which nothing is left to do, by kind."""
    keys = defaultdict(list)
    for key in dict.fromkeys(all_keys(controller.parts.tools.cluster)):
        if len(keys[key.kind]) < LOOKED:
            keys[key.kind].append(key)

    def look_at(kind: WorkKind) -> None:
        for key in keys[kind]:
            controller.look(key)

    return {kind: best_s(lambda kind=kind: look_at(kind)) / len(keys[kind]) for kind in LOOKS}


def choice_s(controller: InMemory, stated: dict[str, str]) -> float:
    """Return the time of one choice of GPUs, or of what is said where there is none."""
    books = controller.parts.tools.books
    demand = demand_of(waiting(0, stated), ())

    def ask() -> object:
        cards = books.cards_of_pool(POOL)
        return choose(demand, cards, books.free, fits_any, PlacementMode.COMPACT_FIRST)

    if isinstance(ask(), Choice) != (stated != ASKING["none"]):
        raise AssertionError(f"{stated}: {ask()}")
    return best_s(ask, CHOICES)


def decide_s(controller: InMemory, count: int) -> float:
    """Return the time of one whole decision: read the pod, choose, count, reserve."""
    tools, node_books = controller.parts.tools, NodeBooks()
    for each in tools.cluster.store(PODS).items():
        node_books.observe(each)
    deciding = PlacementDeciding(tools, node_books)
    pods = [waiting(number, {}) for number in range(count)]
    begin_s = time.process_time()
    for each in pods:
        found = deciding.decide(each, demand_of(each, ()))
        if not isinstance(found, Placement):
            raise TypeError(f"a pod is not placed: {found}")
    return (time.process_time() - begin_s) / count


def waiting(number: int, stated: dict[str, str]) -> Object:
    """Return an admitted pod that waits for its GPUs, beside those that are there."""
    made = pod(90_000 + number, "owner")
    made["metadata"]["annotations"] |= {f"{PREFIX}{key}": text for key, text in stated.items()}
    made["metadata"]["uid"] = f"waiting-{number}"
    return admitted(made)


def fits_any(_node: str) -> str:
    return ""


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(json.dumps(main(int(sys.argv[1]))))
