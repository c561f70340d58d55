"""Recorded usage as a fleet for the simulator: what was used is what would have been demanded.

A workload starts with its stated amounts; one that states none starts with a whole GPU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from autoscaler.errors import InputError, UsageError
from autoscaler.scaling.cluster import WorkloadView
from autoscaler.scaling.fleet.recorded_cluster import Fleet as RecordedFleet
from autoscaler.simulate.families import RecordedLoad, recorded_load
from autoscaler.simulate.fleet import CardGroup, Fleet, SimulatedWorkload
from autoscaler.sources.recorded_usage import Column, Key, RecordedUsage
from autoscaler.sources.workloads_file import WorkloadRow
from recommender.observation import Floats, Ints
from recommender.policy.fields import ANNOTATION_PREFIX
from recommender.resources import TFLOPS, VRAM
from recommender.sentences import counted

DEFAULT_POOL = "default"
HEADROOM = 2
"""GPUs of a pool: so many times what its workers would need with one GPU each."""
GOES_ON_STEPS = 2
"""From one sample of a worker to the next: a scrape that is late or lost once is no end."""


def enrolled(
    rows: Sequence[WorkloadRow], keys: Sequence[Key], layers: Sequence[str]
) -> tuple[WorkloadRow, ...]:
    """Return a row for every workload, with the annotations that switch ``layers`` on."""
    known = {row.key: row for row in rows}
    made = []
    for key in keys:
        row = known.pop(
            key,
            WorkloadRow(namespace=key[0], workload=key[1], place="--enrol", values={}),
        )
        old = row.values.get("annotations")
        annotations = dict(old) if isinstance(old, Mapping) else {}
        annotations |= {f"{ANNOTATION_PREFIX}auto-{layer}": "true" for layer in layers}
        values = MappingProxyType({**row.values, "annotations": annotations})
        made.append(replace(row, values=values))
    return (*made, *known.values())


def simulated_fleet(recorded: RecordedFleet) -> Fleet:
    """Return the fleet of recorded workloads.

    Raises ``UsageError`` where a workload has no GPU model: the simulator shares cards.
    """
    without = [f"{view.namespace}/{view.workload}" for view in recorded.views if not view.card]
    if without:
        raise UsageError(
            f"{counted(len(without), 'workload')} without a GPU model, for example {without[0]}: "
            "give --gpu-model, or gpu_model in the workloads file"
        )
    loads = _loads(recorded.usage)
    if not loads:
        raise InputError(f"{recorded.usage.path}: neither tflops nor vram_bytes to simulate")
    workloads = tuple(
        _workload(view, loads[view.key], view.replicas or max(1, len(view.workers)))
        for view in recorded.views
        if view.key in loads
    )
    needed: Counter[tuple[str, str]] = Counter()
    for item in workloads:
        needed[item.pool, item.gpu_model] += HEADROOM * item.replicas * item.gpu_count
    prices = {
        (view.pool or DEFAULT_POOL, view.gpu_model): view.price_per_gpu_hour
        for view in recorded.views
    }
    cards = tuple(
        CardGroup(pool=pool, gpu_model=model, count=count, price_per_gpu_hour=prices[pool, model])
        for (pool, model), count in needed.items()
    )
    return Fleet(cards=cards, workloads=workloads)


def _workload(view: WorkloadView, load: RecordedLoad, replicas: int) -> SimulatedWorkload:
    def side(stated: Mapping[str, float]) -> tuple[float, float]:
        tflops, vram = (stated.get(name, view.card[name]) for name in (TFLOPS.name, VRAM.name))
        return tflops, vram

    return SimulatedWorkload(
        namespace=view.namespace,
        workload=view.workload,
        pool=view.pool or DEFAULT_POOL,
        gpu_model=view.gpu_model,
        policy=view.policy,
        load=load,
        request=side(view.request),
        limit=side(view.limit),
        replicas=replicas,
        gpu_count=view.gpu_count,
        qos=view.qos,
        owner=view.owner or f"Deployment/{view.workload}",
        stated_sources=view.stated_sources,
    )


def _loads(usage: RecordedUsage) -> dict[Key, RecordedLoad]:
    """Return per workload its TFLOPS (sum of the workers) and VRAM (largest worker)."""
    keys = [(label["namespace"], label["workload"]) for label in usage.labels]
    index = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    row = np.array([index[key] for key in keys])
    tflops = _by_workload(usage.columns.get(TFLOPS.name), row, len(index), largest=False)
    vram = _by_workload(usage.columns.get(VRAM.name), row, len(index), largest=True)
    loads = {}
    for key, i in index.items():
        ts = np.union1d(tflops[i][0], vram[i][0])
        if len(ts):
            loads[key] = recorded_load(
                ts,
                _held(ts, *tflops[i]),
                _held(ts, *vram[i]),
                begin_s=usage.start_s,
                end_s=usage.end_s,
            )
    return loads


def _by_workload(
    column: Column | None, row: Ints, count: int, *, largest: bool
) -> list[tuple[Ints, Floats]]:
    """Return (stamps, values) per workload: its workers joined, wherever in a step they are."""
    empty = np.empty(0, np.int64), np.empty(0)
    if column is None:
        return [empty] * count
    series, step, value = _by_step(column)
    owner = row[series]
    order = np.lexsort((step, owner))
    owner, step, value = owner[order], step[order], value[order]
    is_first = np.ones(len(step), np.bool_)
    is_first[1:] = (owner[1:] != owner[:-1]) | (step[1:] != step[:-1])
    starts = np.flatnonzero(is_first)
    joined = (np.maximum if largest else np.add).reduceat(value, starts)
    ts = step[starts] * column.step_s
    bounds = np.searchsorted(owner[starts], np.arange(count + 1))
    return [(ts[low:high], joined[low:high]) for low, high in pairwise(bounds)]


def _by_step(column: Column) -> tuple[Ints, Ints, Floats]:
    """Return one value of each series in each step of time: series, numbers of steps and values.

    The latest of a step counts, and goes on up to the next sample; a series without any for more
    than ``GOES_ON_STEPS`` has ended.
    """
    order = np.lexsort((column.ts, column.series))
    series, ts, value = column.series[order], column.ts[order], column.value[order]
    first = ts // column.step_s
    goes_on = (np.diff(series) == 0) & (np.diff(ts) <= GOES_ON_STEPS * column.step_s)
    steps = np.ones(len(ts), np.int64)
    steps[:-1] = np.where(goes_on, np.diff(first), 1)
    sample = np.repeat(np.arange(len(ts)), steps)
    since = np.arange(len(sample)) - np.repeat(np.cumsum(steps) - steps, steps)
    steps_of = np.asarray(first[sample] + since, np.int64)
    return series[sample].astype(np.int64), steps_of, value[sample]


def _held(wanted: Ints, ts: Ints, value: Floats) -> Floats:
    """Return the latest value at each wanted stamp; 0 before the first."""
    if len(ts) == 0:
        return np.zeros(len(wanted))
    at = np.searchsorted(ts, wanted, side="right") - 1
    return np.where(at >= 0, value[np.maximum(at, 0)], 0.0)
