"""How many GPUs a worker gets, which ones, of what model and vendor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import GPU_COUNT, GPU_INDICES, VENDOR
from autoscaler.api.scalars import LONGEST_NAME
from autoscaler.webhook.admission import Object
from autoscaler.webhook.containers import native_gpus
from autoscaler.webhook.layers import Layers, Written
from autoscaler.webhook.statements import NATIVE_SOURCE
from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem
from recommender.policy.stated import Stated

MOST_GPUS = 128
_HIGHEST_INDEX = 2**31 - 1
_INDEX = re.compile(r"[0-9]{1,10}")
_VENDOR = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_. ]{0,61}[A-Za-z0-9])?")
_COUNT, _MODEL = "gpu-count", "gpu-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """The GPUs of one worker."""

    count: int
    count_source: str
    indices: tuple[int, ...]
    """On their node, in the order in which they were named; empty: any."""
    model: str
    """Empty: any."""
    vendor: str
    """Empty: any."""


def choose_devices(pod: Object, layers: Layers, stated: Stated, verdict: Verdict) -> Devices:
    """Return the GPUs of a pod's worker.

    ``gpu-indices`` wins over any count; a count that nobody states is that of the native GPU
    resources, else 1.
    """
    written = layers.find(GPU_INDICES, "gpuIndices")
    indices = _indices(written, verdict) if written is not None else ()
    count, source = _count(pod, stated, verdict)
    if indices and written is not None:
        if _COUNT in stated.sources and stated.gpu_count != len(indices):
            verdict.warn(
                Problem(
                    GPU_COUNT,
                    f"{stated.gpu_count} has no effect, because {written.path} names "
                    f"{len(indices)} GPUs",
                )
            )
        count, source = len(indices), written.path
    return Devices(
        count=count,
        count_source=source,
        indices=indices,
        model=_model(stated, verdict),
        vendor=_vendor(layers, verdict),
    )


def _count(pod: Object, stated: Stated, verdict: Verdict) -> tuple[int, str]:
    if _COUNT in stated.sources:
        return stated.gpu_count, stated.source_of(_COUNT)
    native = native_gpus(pod)
    if not native:
        return 1, "default"
    if native > MOST_GPUS:
        verdict.refuse(
            Problem(
                "spec.containers",
                f"{native} native GPUs in all; allowed: at most {MOST_GPUS}, or "
                f"another number in annotation {GPU_COUNT}",
            )
        )
        return 1, "default"
    return native, NATIVE_SOURCE


def _indices(written: Written, verdict: Verdict) -> tuple[int, ...]:
    value = written.value
    parts: list[Any] = value.split(",") if isinstance(value, str) else [value]
    if isinstance(value, list | tuple):
        parts = list(value)
    read = [_index(part) for part in parts]
    indices = [index for index in read if index is not None]
    if len(indices) < len(read) or len(set(indices)) < len(indices) or len(read) > MOST_GPUS:
        shown = ",".join(map(str, parts)) if isinstance(value, list | tuple) else value
        verdict.invalid(
            written.path,
            shown,
            f"1 to {MOST_GPUS} different whole numbers from 0, separated by commas, such as 0,2",
        )
        return ()
    return tuple(indices)


def _index(part: object) -> int | None:
    text = "" if isinstance(part, bool | float) else str(part).strip()
    if _INDEX.fullmatch(text) is None or int(text) > _HIGHEST_INDEX:
        return None
    return int(text)


def _model(stated: Stated, verdict: Verdict) -> str:
    model = stated.gpu_model
    if len(model) > LONGEST_NAME:
        path = stated.source_of(_MODEL)
        verdict.invalid(path, model, f"the name of a GPU model of at most {LONGEST_NAME} letters")
        return ""
    return model


def _vendor(layers: Layers, verdict: Verdict) -> str:
    written = layers.find(VENDOR, "vendor")
    if written is None:
        return ""
    vendor = str(written.value).strip()
    if _VENDOR.fullmatch(vendor) is None:
        verdict.invalid(written.path, vendor, "a vendor's name of at most 63 letters, as NVIDIA")
        return ""
    return vendor
