"""The usage model as bytes and back: a digest and a zip of arrays, no pickle.

A checkpoint is a cache.  One that is damaged, or of another version or another set of resources,
raises ``CheckpointError``, and the caller rebuilds the model from its metrics source.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.errors import CheckpointError
from recommender.resources import Resource
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

VERSION = 1
_MAGIC = b"tfa-usage\0"
_DIGEST_BYTES = 32
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
        "closed_until_s": model.closed_until_s,
        "begin_s": model.begin_s,
        "closed_block": [store.closed_block for store in model.stores],
    }
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {path: array for path, array, _, _ in _arrays(model)}
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(buffer, header=text, **arrays)
    body = buffer.getvalue()
    return _MAGIC + hashlib.sha256(body).digest() + body


def model_from_bytes(data: bytes, resources: Sequence[Resource]) -> UsageModel:
    """Return the model of a checkpoint that was made for the same ``resources``.

    Raises ``CheckpointError`` for damage, another version and other resources.
    """
    with np.load(io.BytesIO(_intact(data)), allow_pickle=False) as archive:
        header = json.loads(archive["header"].tobytes())
        arrays = {name: archive[name] for name in archive.files if name != "header"}
    if header.get("version") != VERSION:
        found = header.get("version")
        raise CheckpointError(f"checkpoint of version {found}, this program reads {VERSION}")
    if header["resources"] != [asdict(resource) for resource in resources]:
        names = ", ".join(str(resource["name"]) for resource in header["resources"])
        raise CheckpointError(f"checkpoint of other resources: {names}")
    return _restored(header, arrays, resources)


def _intact(data: bytes) -> bytes:
    """Return the archive, of which every byte is as it was written."""
    digest_end = len(_MAGIC) + _DIGEST_BYTES
    if data[: len(_MAGIC)] != _MAGIC or len(data) < digest_end:
        raise CheckpointError(f"these {len(data)} bytes are no checkpoint of usage")
    body = data[digest_end:]
    if hashlib.sha256(body).digest() != data[len(_MAGIC) : digest_end]:
        raise CheckpointError(f"damaged checkpoint: the digest of its {len(body)} bytes differs")
    return body


def _restored(
    header: dict[str, Any], arrays: dict[str, NDArray[Any]], resources: Sequence[Resource]
) -> UsageModel:
    model = UsageModel(resources)
    model.workloads.restore([None if k is None else tuple(k) for k in header["workloads"]])
    model.workers.restore([None if k is None else tuple(k) for k in header["workers"]])
    model.counts = SampleCounts(**header["counts"])
    model.closed_until_s, model.begin_s = header["closed_until_s"], header["begin_s"]
    for store, closed_block in zip(model.stores, header["closed_block"], strict=True):
        store.closed_block = closed_block
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
