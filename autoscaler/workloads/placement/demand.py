"""What a gated pod asks for, read from the pod as admission left it.

What is asked of the node, beside GPUs, is ``node_needs``; where it is found is ``choose``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.api.names import (
    GPU_COUNT,
    GPU_INDICES,
    GPU_MODEL,
    POOL_LABEL,
    PREFIX,
    QOS,
    VENDOR,
    WORKLOAD_LABEL,
)
from autoscaler.kube.store import Object
from autoscaler.workloads.books.worker_amounts import WorkerAmounts, worker_amounts
from autoscaler.workloads.errors import InvalidWorkerError
from autoscaler.workloads.nodes.node_needs import NodeNeeds, needs_of
from autoscaler.workloads.nodes.volumes import VolumeTerms
from recommender.amounts import ResourceAmounts
from recommender.errors import InvalidValueError
from recommender.policy.field import Field, Kind
from recommender.policy.fields import PROPERTIES
from recommender.policy.values import is_unset, read_value

_PROPERTY = {f"{PREFIX}{each.key}": each.as_field for each in PROPERTIES}
_VENDOR = Field(path="vendor", kind=Kind.TEXT, meaning="Vendor of the GPU.", default="")
_INDEX = Field(path="index", kind=Kind.INTEGER, meaning="Index.", lowest=0, highest=2**31 - 1)
_MOST_GPUS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one worker pod asks for; amounts are per GPU."""

    uid: str
    namespace: str
    pod: str
    workload: str
    pool: str
    count: int
    """GPUs, all on one node."""
    indices: tuple[int, ...]
    """Of just these GPUs on their node, in the order in which they were named; empty: any."""
    model: str
    """As written; empty: any."""
    vendor: str
    """As written; empty: any."""
    qos: str
    request: ResourceAmounts
    limit: ResourceAmounts
    needs: NodeNeeds

    @property
    def amounts(self) -> WorkerAmounts:
        """Return request and limit together."""
        return WorkerAmounts(request=self.request, limit=self.limit)


def demand_of(pod: Object, volumes: VolumeTerms) -> Demand:
    """Return what a worker pod asks for; ``volumes`` is what its claims ask of the node.

    Raises ``InvalidWorkerError`` for annotations that cannot be read.
    """
    metadata = pod["metadata"]
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    amounts = worker_amounts(annotations)
    indices = _indices(annotations)
    count = int(str(_read(annotations, GPU_COUNT, _PROPERTY[GPU_COUNT])))
    return Demand(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        pod=metadata["name"],
        workload=_label(labels, WORKLOAD_LABEL),
        pool=_label(labels, POOL_LABEL),
        count=len(indices) or count,
        indices=indices,
        model=str(_read(annotations, GPU_MODEL, _PROPERTY[GPU_MODEL])),
        vendor=str(_read(annotations, VENDOR, _VENDOR)),
        qos=qos_of(annotations),
        request=amounts.request,
        limit=amounts.limit,
        needs=needs_of(pod, volumes),
    )


def qos_of(annotations: Mapping[str, str]) -> str:
    """Return the level of a worker.  Raises ``InvalidWorkerError`` for one that is none."""
    return str(_read(annotations, QOS, _PROPERTY[QOS]))


def _read(annotations: Mapping[str, str], key: str, field: Field) -> object:
    """Return the value of an annotation; the default where it is absent or blank."""
    written = annotations.get(key)
    if is_unset(written):
        return field.default
    try:
        return read_value(field, written, f"annotation {key}")
    except InvalidValueError as error:
        raise InvalidWorkerError(str(error)) from error


def _indices(annotations: Mapping[str, str]) -> tuple[int, ...]:
    written = annotations.get(GPU_INDICES)
    if written is None or is_unset(written):
        return ()
    path = f"annotation {GPU_INDICES}"
    parts = written.split(",")
    if len(parts) > _MOST_GPUS:
        raise _bad_indices(path, written)
    try:
        read = [read_value(_INDEX, part, path) for part in parts]
    except InvalidValueError as error:
        raise _bad_indices(path, written) from error
    indices = tuple(dict.fromkeys(int(str(index)) for index in read))
    if len(indices) < len(read):
        raise _bad_indices(path, written)
    return indices


def _bad_indices(path: str, written: str) -> InvalidWorkerError:
    allowed = f"1 to {_MOST_GPUS} different whole numbers from 0, separated by commas, such as 0,2"
    return InvalidWorkerError(str(InvalidValueError(path, written, allowed)))


def _label(labels: Mapping[str, str], key: str) -> str:
    value = labels.get(key)
    if not value:
        raise InvalidWorkerError(f"label {key}: not set; allowed: a name, which admission writes")
    return value
