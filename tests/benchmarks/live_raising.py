"""How soon workers have more, once a scrape has shown that they are held at their limit.

The time of each counts until a watch of this process shows it.  Limits move for other reasons
too, by less: only what whoever is held at a limit gets at once counts here.
"""

from __future__ import annotations

import time
from collections.abc import Container, Sequence
from contextlib import closing
from typing import Any

from autoscaler.api.names import PREFIX
from autoscaler.kube.reflector import Reflector
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Change
from recommender.quantities import parse_quantity
from tests.benchmarks.gpu_cells import NAMESPACE
from tests.benchmarks.gpu_filling import administrator
from tests.benchmarks.live_cells import LIMIT_TFLOPS, Placed
from tests.benchmarks.live_exporting import Exporter
from tests.cluster.control_plane import ControlPlane
from tests.components.processes import until

DEADLINE_S = 120.0
LIMIT = f"{PREFIX}tflops-limit"
RAISED_TFLOPS = 1.5 * LIMIT_TFLOPS
"""Whoever is held at the limit gets at least so much."""


def raised_s(
    plane: ControlPlane, exporter: Exporter, workers: Sequence[Placed], *, count: int
) -> list[float]:
    """Have the workers of some workloads at their limit; return when each had more, in seconds.

    The workloads are the first whose workers all have the limit that they began with.  Raises
    ``LookupError`` where there are too few of them.
    """
    raised: dict[str, float] = {}
    moved: set[str] = set()

    def look(change: Change) -> None:
        if change.new is None:
            return
        name, limit_tflops = change.new["metadata"]["name"], parse_quantity(change.new["limit"])
        if limit_tflops != LIMIT_TFLOPS:
            moved.add(name)
        if limit_tflops >= RAISED_TFLOPS:
            raised.setdefault(name, time.time())

    with closing(administrator(plane)) as api:
        reflector = Reflector(api, PODS, namespace=NAMESPACE, keep=_kept)
        reflector.store.on_change(look)
        reflector.start()
        try:
            reflector.wait_until_synced(DEADLINE_S)
            workloads = _unmoved(workers, moved, count)
            names = {worker.name for worker in workers if worker.workload in set(workloads)}
            exporter.saturate(workloads)
            until(
                lambda: names <= raised.keys(),
                what=f"{len(names)} workers have more",
                deadline_s=DEADLINE_S,
            )
            shown_s = exporter.shown_s()
        finally:
            exporter.saturate([])
            reflector.stop()
    return [raised[name] - shown_s for name in names]


def _unmoved(workers: Sequence[Placed], moved: Container[str], count: int) -> list[str]:
    """Return the first workloads of which no worker has another limit than at the beginning."""
    has_moved = {worker.workload for worker in workers if worker.name in moved}
    found = dict.fromkeys(w.workload for w in workers if w.workload not in has_moved)
    if len(found) < count:
        raise LookupError(f"{len(found)} workloads have their first limit; needed: {count}")
    return list(found)[:count]


def _kept(pod: dict[str, Any]) -> dict[str, Any]:
    """Keep of a pod what is looked at."""
    metadata = pod["metadata"]
    kept = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")}
    return {"metadata": kept, "limit": metadata["annotations"][LIMIT]}
