"""What a worker requests and may use, as the annotations in force of its pod say it.

Users' spellings are read as everywhere, by the recommender's readers.  What a user declared beside
it is admission's; what of it a card grants is ``books``.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from autoscaler.api.names import AMOUNT_KEYS, IN_FORCE
from autoscaler.workloads.books.gpu_amounts import GpuAmounts, on_card
from autoscaler.workloads.errors import InvalidWorkerError
from recommender.amounts import ResourceAmounts
from recommender.policy.stated import Said, StatedLayer, read_layer
from recommender.quantities import parse_quantity

WHOLE_PERCENT = Decimal(100)
_KNOWN = 4096
"""Combinations of annotations that are kept: workers of one workload have the same, and each is
read again whenever the books are checked."""
_NAMES = (("tflops", "tflops"), ("compute-percent", "compute_percent"), ("vram", "vram_bytes"))
"""Beginning of a statement's key, and its attribute of ``ResourceAmounts``."""


class WorkerAmounts(NamedTuple):
    """Amounts of one worker, per GPU; None: not stated."""

    request: ResourceAmounts
    limit: ResourceAmounts


def worker_amounts(annotations: Mapping[str, str]) -> WorkerAmounts:
    """Return what the plain annotations of a worker state, per GPU.

    A request that is not stated is its limit; an amount of zero counts as not stated, and percent
    where TFLOPS are stated too.  Raises ``InvalidWorkerError`` for what cannot be read, and for a
    limit below its request.
    """
    return _amounts_of(tuple(map(annotations.get, IN_FORCE)))


@lru_cache(maxsize=_KNOWN)
def _amounts_of(texts: tuple[str | None, ...]) -> WorkerAmounts:
    layer = read_layer(
        {
            key: Said(value=text, source="annotation", path=f"annotation {name}")
            for key, name, text in zip(AMOUNT_KEYS, IN_FORCE, texts, strict=True)
            if text is not None
        },
        tolerates_two_units=True,
    )
    problems = [str(problem) for problem in layer.problems if not problem.is_warning]
    if problems:
        raise InvalidWorkerError("; ".join(problems))
    limit = _side(layer, "limit")
    request = _inheriting(_side(layer, "request"), limit)
    _check_order(layer, request, limit)
    return WorkerAmounts(request=request, limit=limit)


def request_on(amounts: WorkerAmounts, capacity: GpuAmounts) -> GpuAmounts:
    """Return what a worker requests of a card with that capacity; what is not stated is 0.

    All compute of a card without a word of VRAM, which whole GPUs of a device plugin are read as,
    is all of its VRAM too.
    """
    asked = on_card(amounts.request, capacity)
    if amounts.request.vram_bytes is None and amounts.request.compute_percent == WHOLE_PERCENT:
        return GpuAmounts(microtflops=asked.microtflops, vram_bytes=capacity.vram_bytes)
    return asked


def limit_on(amounts: WorkerAmounts, capacity: GpuAmounts) -> GpuAmounts:
    """Return what a worker may use of a card with that capacity; all where it has no limit."""
    limit, asked = amounts.limit, on_card(amounts.limit, capacity)
    has_compute = limit.tflops is not None or limit.compute_percent is not None
    return GpuAmounts(
        microtflops=asked.microtflops if has_compute else capacity.microtflops,
        vram_bytes=asked.vram_bytes if limit.vram_bytes is not None else capacity.vram_bytes,
    )


def _side(layer: StatedLayer, end: str) -> ResourceAmounts:
    return ResourceAmounts(
        **{
            attribute: parse_quantity(layer.said[f"{name}-{end}"].quantity)
            for name, attribute in _NAMES
            if f"{name}-{end}" in layer.said
        }
    )


def _inheriting(request: ResourceAmounts, limit: ResourceAmounts) -> ResourceAmounts:
    has_compute = request.tflops is not None or request.compute_percent is not None
    compute = request if has_compute else limit
    vram_bytes = limit.vram_bytes if request.vram_bytes is None else request.vram_bytes
    return ResourceAmounts(
        tflops=compute.tflops, compute_percent=compute.compute_percent, vram_bytes=vram_bytes
    )


def _check_order(layer: StatedLayer, request: ResourceAmounts, limit: ResourceAmounts) -> None:
    for name, attribute in _NAMES:
        low, high = getattr(request, attribute), getattr(limit, attribute)
        if low is not None and high is not None and low > high:
            said = layer.said[f"{name}-limit"]
            least = layer.said[f"{name}-request"].quantity
            raise InvalidWorkerError(
                f"{said.path}: {said.quantity!r} is not valid; allowed: at least the request "
                f"({least})"
            )
