"""The usage model as bytes and back.

A checkpoint is a cache.  One that is damaged, or of another version or another set of resources,
raises ``CheckpointError``, and the caller rebuilds the model from its metrics source.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.errors import CheckpointError
from recommender.resources import Resource
from recommender.usage.archive import packed, unpacked
from recommender.usage.backlog import Backlog
from recommender.usage.blocks import Blocks
from recommender.usage.denials import Denials
from recommender.usage.histograms import HistogramBank
from recommender.usage.model import UsageModel
from recommender.usage.peaks import PeakWindows
from recommender.usage.plateau import Plateaus
from recommender.usage.quality import SampleCounts
from recommender.usage.recent import RecentSamples
from recommender.usage.rings import TimeRing
from recommender.usage.store import ResourceUsage

VERSION = 5
_MAGIC = b"tfa-usage\0"
_PARTS = (
    ResourceUsage,
    RecentSamples,
    Backlog,
    Blocks,
    TimeRing,
    HistogramBank,
    PeakWindows,
    Plateaus,
    Denials,
)


def model_to_bytes(model: UsageModel) -> bytes:
    """Return a checkpoint of everything the model holds."""
    header = {
        "version": VERSION,
        "resources": [asdict(resource) for resource in model.resources],
        "workloads": model.workloads.keys,
        "workers": model.workers.keys,
        "counts": asdict(model.counts),
        "closed_until_s": [store.closed_until_s for store in model.stores],
        "begin_s": model.begin_s,
        "closed_block": [store.closed_block for store in model.stores],
    }
    arrays = {path: array for path, array, _, _ in _arrays(model)}
    return packed(_MAGIC, json.dumps(header).encode(), arrays)


def model_from_bytes(data: bytes, resources: Sequence[Resource]) -> UsageModel:
    """Return the model of a checkpoint that was made for the same ``resources``.

    Raises ``CheckpointError`` for damage, another version and other resources.
    """
    text, arrays = unpacked(_MAGIC, data, "usage")
    header = json.loads(text)
    if header.get("version") != VERSION:
        found = header.get("version")
        raise CheckpointError(f"checkpoint of version {found}, this program reads {VERSION}")
    if header["resources"] != [asdict(resource) for resource in resources]:
        names = ", ".join(str(resource["name"]) for resource in header["resources"])
        raise CheckpointError(f"checkpoint of other resources: {names}")
    return _restored(header, arrays, resources)


def _restored(
    header: dict[str, Any], arrays: dict[str, NDArray[Any]], resources: Sequence[Resource]
) -> UsageModel:
    model = UsageModel(resources)
    model.workloads.restore([None if k is None else tuple(k) for k in header["workloads"]])
    model.workers.restore([None if k is None else tuple(k) for k in header["workers"]])
    model.counts = SampleCounts(**header["counts"])
    model.begin_s = header["begin_s"]
    for store, until_s, block in zip(
        model.stores, header["closed_until_s"], header["closed_block"], strict=True
    ):
        store.closed_until_s, store.closed_block = until_s, block
    for path, current, owner, name in _arrays(model):
        if path not in arrays or arrays[path].dtype != current.dtype:
            raise CheckpointError(f"checkpoint of another layout: no usable array {path}")
        setattr(owner, name, arrays[path])
    return model


def _arrays(part: object, path: str = "") -> Iterator[tuple[str, NDArray[Any], object, str]]:
    """Yield (path, array, owner, attribute) of every array of the model and its parts."""
    for name, value in vars(part).items():
        where = f"{path}/{name}" if path else name
        if isinstance(value, np.ndarray):
            yield where, value, part, name
        elif isinstance(value, _PARTS):
            yield from _arrays(value, where)
        elif name == "stores":
            for i, store in enumerate(value):
                yield from _arrays(store, f"{where}/{i}")
