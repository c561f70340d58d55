"""All workloads of a real API server in one cache, then changes that it follows.

Run as ``python -m tests.benchmarks.caching KUBECONFIG CHANGES`` in a process of its own: it prints
one line of JSON.  The process imports what a service with caches imports and no more, so that its
memory is that of such a service.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.reflector import Reflector
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.store import Change, Object
from tests.benchmarks.latencies import p50_p99
from tests.benchmarks.own_process import Meter, memory_bytes
from tests.components.processes import until

MARK = "benchmark"
WRITERS = 4
DEADLINE_S = 120.0


def main(kubeconfig: str, changes: int) -> dict[str, Any]:
    meter = Meter()
    api = ApiServer.from_environment(kubeconfig=Path(kubeconfig), user_agent="benchmark")
    reflector = Reflector(api, WORKLOADS)
    reflector.start()
    if not reflector.wait_until_synced(DEADLINE_S):
        raise TimeoutError(f"no list within {DEADLINE_S:g} s: {reflector.snapshot().last_error}")
    spent = meter.spent()
    held = memory_bytes("VmHWM")
    delays_s = followed(api, reflector, reflector.store.sorted()[:changes])
    reflector.stop()
    return {
        **asdict(spent),
        "objects": len(reflector.store),
        "process_bytes": held,
        "resident_bytes": memory_bytes("VmRSS"),
        "delays": p50_p99(delays_s),
        "relists": reflector.snapshot().relists,
        "failures": reflector.snapshot().failures,
    }


def followed(api: ApiServer, reflector: Reflector, objects: tuple[Object, ...]) -> list[float]:
    """Change objects; return for each the seconds from the answer of the write until it is seen."""
    seen_s: dict[str, float] = {}

    def see(change: Change) -> None:
        version = change.obj["metadata"]["resourceVersion"]
        seen_s[version] = time.perf_counter()

    reflector.store.on_change(see)

    def write(obj: Object) -> tuple[str, float]:
        metadata = obj["metadata"]
        patch = {"metadata": {"annotations": {MARK: str(time.time_ns())}}}
        written = api.merge_patch(WORKLOADS, metadata["name"], patch, metadata["namespace"])
        return written["metadata"]["resourceVersion"], time.perf_counter()

    with ThreadPoolExecutor(WRITERS) as pool:
        written_s = dict(pool.map(write, objects))
    until(
        lambda: written_s.keys() <= seen_s.keys(),
        what="all changes were seen",
        deadline_s=DEADLINE_S,
    )
    return [max(seen_s[version] - time_s, 0.0) for version, time_s in written_s.items()]


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
