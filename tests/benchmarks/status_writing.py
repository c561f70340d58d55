"""The status of many workloads written at once, under the budget for writes.

Run as ``python -m tests.benchmarks.status_writing KUBECONFIG WRITES`` in a process of its own: it
prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path

from autoscaler.api.names import Condition, FieldManager
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.status_apply import StatusOwner, apply_status
from autoscaler.kube.store import Key, key_of
from autoscaler.kube.work_queue import WorkQueue
from autoscaler.kube.write_budget import WriteBudget
from tests.benchmarks.latencies import p50_p99

WORKERS = 8
DEADLINE_S = 60.0
OWNER = StatusOwner(
    field_manager=FieldManager.AUTOSCALER,
    fields=frozenset({"recommendation", "desiredResources", "guard"}),
    conditions=frozenset({Condition.RECOMMENDATION_PROVIDED, Condition.RESOURCE_UPDATE}),
)


def main(kubeconfig: str, writes: int) -> dict[str, float]:
    api = ApiServer.from_environment(kubeconfig=Path(kubeconfig), user_agent="benchmark")
    with closing(api):
        pages = (items for items, _ in api.pages(WORKLOADS))
        shown = {key_of(obj): obj for obj in list(chain.from_iterable(pages))[:writes]}
        queue, budget = WorkQueue[Key](), WriteBudget()
        for key in shown:
            queue.add(key, Priority.STATUS)

        def work() -> list[float]:
            times_s = []
            while (key := queue.get(timeout_s=0.0)) is not None:
                if not budget.take(DEADLINE_S):
                    raise TimeoutError(f"no write was allowed within {DEADLINE_S:g} s")
                begin_s = time.perf_counter()
                with budget.observing():
                    apply_status(api, WORKLOADS, shown[key], changed(shown[key]), OWNER)
                times_s.append(time.perf_counter() - begin_s)
                queue.done(key)
            return times_s

        begin_s = time.perf_counter()
        with ThreadPoolExecutor(WORKERS) as executor:
            workers = [executor.submit(work) for _ in range(WORKERS)]
            times_s = [time_s for worker in workers for time_s in worker.result()]
        wall_s = time.perf_counter() - begin_s
    after = budget.snapshot()
    return {
        "writes": len(times_s),
        "wall_s": wall_s,
        **p50_p99(times_s),
        "throttled": after.throttled,
        "rate_per_s": after.rate_per_s,
        "configured_per_s": after.configured_per_s,
    }


def changed(obj: dict) -> dict:
    """Return this writer's part of the status with another decision in it."""
    status = OWNER.part_of(obj["status"])
    desired = status["desiredResources"]
    return {**status, "desiredResources": {**desired, "sequence": desired["sequence"] + 1}}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
