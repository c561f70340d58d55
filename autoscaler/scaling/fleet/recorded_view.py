"""One recorded workload as the loop sees it: what is declared, and which workers still run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import WorkerView, WorkloadView
from autoscaler.scaling.fleet.stated import StatedWorkload, stated_view
from autoscaler.sources.recorded_usage import Key
from recommender.gpu_models import GpuModel

STARTUP_S = 300
"""A worker that appears during the recording counts as ready after so long."""
GONE_STEPS = 3
GONE_S = 300
"""A worker without a sample for longer than both is no longer running."""
UNKNOWN_START_S = -1


def view_of(
    key: Key,
    *,
    statement: StatedWorkload | None,
    model: GpuModel | None,
    workers: Mapping[str, tuple[int, int]],
    begin_s: int,
    now_s: int,
    step_s: int,
    gpu_models: GpuModels,
) -> WorkloadView:
    """Return the view of one workload.

    ``workers`` are times of the first and the last sample by worker, ``begin_s`` the time of the
    first sample of all: what was measured then was running already.
    """
    view = stated_view(key, statement=statement, model=model, gpu_models=gpu_models)
    gone_s = now_s - max(GONE_S, GONE_STEPS * step_s)
    running = [
        _worker(name, first_s, begin_s, step_s, now_s)
        for name, (first_s, last_s) in sorted(workers.items())
        if last_s >= gone_s
    ]
    return replace(view, workers=_with_unmeasured(running, view.replicas or 0, begin_s))


def _with_unmeasured(
    workers: list[WorkerView], replicas: int, begin_s: int
) -> tuple[WorkerView, ...]:
    """Add the workers that are stated and not in the record: nobody may take them for idle."""
    missing = range(replicas - len(workers))
    return (
        *workers,
        *(
            WorkerView(name=f"(unmeasured {i})", started_s=begin_s, ready_s=begin_s)
            for i in missing
        ),
    )


def _worker(name: str, first_s: int, begin_s: int, step_s: int, now_s: int) -> WorkerView:
    was_running = first_s <= begin_s + step_s
    ready_s = first_s if was_running else first_s + STARTUP_S
    return WorkerView(
        name=name, started_s=UNKNOWN_START_S, ready_s=ready_s if ready_s <= now_s else None
    )
