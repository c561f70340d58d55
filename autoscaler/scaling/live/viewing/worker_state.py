"""One worker as its pod shows it: its GPUs, what it has in force, and how far it has come.  Pure.

Only a worker that was placed has something in force; one that waits for its GPUs, and one that has
ended, hold nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from autoscaler.api.names import (
    GPU_IDS,
    GPU_PEAK_TFLOPS,
    GPU_PEAK_VRAM,
    IN_FORCE,
    POOL_LABEL,
    WORKLOAD_LABEL,
)
from autoscaler.kube.condition import find_condition
from autoscaler.kube.store import Object
from autoscaler.kube.timestamps import seconds_of
from autoscaler.scaling.cluster import Amounts, amounts
from autoscaler.scaling.live.kept import READY
from recommender.errors import InvalidValueError
from recommender.policy.annotations import read_annotation_statements
from recommender.policy.stated import combined
from recommender.quantities import parse_quantity
from recommender.resources import TFLOPS, VRAM

UNKNOWN_START_S = -1
_ENDED = frozenset({"Succeeded", "Failed"})
_KNOWN = 4096
"""Combinations of amounts that are kept: workers of one workload mostly have the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What one worker has, per GPU device, as its annotations state it."""

    request: Amounts
    """In TFLOPS or percent of its GPU, and bytes; a request that is not stated is its limit."""
    limit: Amounts
    problem: str
    """What of it cannot be read, and is left out; empty: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """One worker; two that are equal make no difference to any view."""

    namespace: str
    workload: str
    name: str
    pool: str
    gpus: tuple[str, ...]
    """Names of its GPU objects; empty while it waits for them."""
    peak: Amounts
    """What its GPU had when it was placed, for one whose GPU is not known."""
    in_force: InForce
    created: str
    """As the API server writes it; sorts from the oldest to the newest."""
    started_s: int
    """-1 where the kubelet has not taken it yet."""
    ready_s: int | None
    is_terminating: bool
    has_ended: bool

    @property
    def is_live(self) -> bool:
        """Return whether it has neither ended nor is about to go."""
        return not (self.is_terminating or self.has_ended)

    @property
    def runs(self) -> bool:
        """Return whether it is live and was placed, so that what it has is in force."""
        return self.is_live and bool(self.gpus)


def worker_state_of(pod: Object) -> WorkerState | None:
    """Return the worker that a pod is; None where it names no workload.

    Nothing is raised for what its annotations say.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    workload = labels.get(WORKLOAD_LABEL)
    if not workload:
        return None
    ready = find_condition(pod, READY) or {}
    started_s = seconds_of(status.get("startTime"))
    return WorkerState(
        namespace=metadata["namespace"],
        workload=workload,
        name=metadata["name"],
        pool=labels.get(POOL_LABEL) or "",
        gpus=_gpus(annotations.get(GPU_IDS) or ""),
        peak=_peak(annotations.get(GPU_PEAK_TFLOPS), annotations.get(GPU_PEAK_VRAM)),
        in_force=_in_force(tuple(map(annotations.get, IN_FORCE))),
        created=metadata.get("creationTimestamp") or "",
        started_s=UNKNOWN_START_S if started_s is None else started_s,
        ready_s=seconds_of(ready.get("lastTransitionTime")) if _is_true(ready) else None,
        is_terminating=bool(metadata.get("deletionTimestamp")),
        has_ended=status.get("phase") in _ENDED,
    )


@lru_cache(maxsize=_KNOWN)
def _gpus(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


@lru_cache(maxsize=_KNOWN)
def _in_force(texts: tuple[str | None, ...]) -> InForce:
    annotations = {key: text for key, text in zip(IN_FORCE, texts, strict=True) if text is not None}
    stated, problems = combined(read_annotation_statements(annotations))
    return InForce(
        request=amounts(stated.request),
        limit=amounts(stated.limit),
        problem="; ".join(str(each) for each in problems if not each.is_warning),
    )


@lru_cache(maxsize=_KNOWN)
def _peak(tflops: str | None, vram_bytes: str | None) -> Amounts:
    found = {TFLOPS.name: _number(tflops), VRAM.name: _number(vram_bytes)}
    return amounts({name: value for name, value in found.items() if value is not None})


def _number(text: str | None) -> float | None:
    """Return a positive number that the controller wrote; None where it is none."""
    try:
        number = float(parse_quantity(text or ""))
    except InvalidValueError:
        return None
    return number if number > 0 else None


def _is_true(condition: Mapping[str, object]) -> bool:
    return condition.get("status") == "True"
