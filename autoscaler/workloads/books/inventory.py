"""GPUs as placement sees them, put together from GPU objects, nodes and pools.

Pure: what is kept of it is ``books``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from sys import intern

from autoscaler.api.names import MANAGED_BY, NATIVE_GPU_RESOURCES
from autoscaler.kube.store import Object
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.nodes.node_fit import HOSTNAME
from recommender.amounts import ResourceAmounts
from recommender.errors import InvalidValueError
from recommender.quantities import parse_quantity

RUNNING = "Running"
TENSOR_FUSION, DEVICE_PLUGIN = "tensor-fusion", "nvidia-device-plugin"
"""``GPU.status.usedBy``: who gives a GPU to pods."""
_RATIO = "tflopsOversellRatio"
_ALL_PERCENT = Decimal(100)


def node_of(gpu: Object) -> str:
    """Return the name of a GPU's node; empty where the object does not say it."""
    metadata, status = gpu["metadata"], gpu.get("status") or {}
    owner = next(
        (each["name"] for each in metadata.get("ownerReferences") or () if each["kind"] == "Node"),
        "",
    )
    labelled = (metadata.get("labels") or {}).get(MANAGED_BY)
    return str(owner or labelled or (status.get("nodeSelector") or {}).get(HOSTNAME) or "")


def hostname_of(node: Object) -> str:
    """Return what a pod's node selector calls a node: its hostname label, else its name."""
    return str((node["metadata"].get("labels") or {}).get(HOSTNAME) or node["metadata"]["name"])


def pool_of_node(node_labels: Mapping[str, str], pools: Iterable[Object]) -> Object | None:
    """Return the oldest of the pools that select a node; None where none does."""
    return next(iter(_selecting(node_labels, _by_age(pools))), None)


def node_conflicts(
    pools: Iterable[Object], nodes: Iterable[Object]
) -> Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """Return the nodes that pools select in vain, because older pools have them.

    By name of the younger pool: pairs of an older pool's name and the names of the nodes.
    """
    by_age = _by_age(pools)
    found: dict[str, dict[str, list[str]]] = {}
    for node in sorted(nodes, key=_name):
        first, *others = [_name(pool) for pool in _selecting(_labels(node), by_age)] or [""]
        for other in others:
            found.setdefault(other, {}).setdefault(first, []).append(_name(node))
    return {
        pool: tuple((older, tuple(names)) for older, names in sorted(by_older.items()))
        for pool, by_older in sorted(found.items())
    }


def card_of(gpu: Object, node: Object | None, pool: Object | None) -> Card:
    """Return a GPU as placement sees it.

    ``node`` is the GPU's, None where there is no such node, and ``pool`` the node's.  Whatever
    keeps workers off the GPU is said in the card.
    """
    status = gpu.get("status") or {}
    capacity, unreadable = _capacity(status)
    percent, bad_ratio = _oversell_percent(pool)
    index = status.get("index")
    return Card(
        name=_name(gpu),
        uuid=str(status.get("uuid") or _name(gpu)),
        index=index if isinstance(index, int) else None,
        node=node_of(gpu),
        pool="" if pool is None else _name(pool),
        gpu_model=intern(str(status.get("gpuModel") or "")),
        model=intern(str(status.get("model") or "")),
        vendor=intern(str(status.get("vendor") or "")),
        capacity=_shared(capacity),
        allocatable=_shared(
            GpuAmounts(
                microtflops=int(capacity.microtflops * percent / _ALL_PERCENT),
                vram_bytes=capacity.vram_bytes,
            )
        ),
        problem=_placing_problem(gpu, node, pool)
        or _strange_uuid(gpu)
        or unreadable
        or _lack_of_capacity(capacity)
        or bad_ratio,
    )


def used_by(gpu: Object, node: Object | None, pool: Object | None) -> str:
    """Return who gives a GPU to pods: the pools, or the device plugin of its node.

    A plugin that advertises GPUs gives all GPUs of its node away, but for those that the pool lists
    as reserved.
    """
    allocatable = ({} if node is None else node.get("status") or {}).get("allocatable") or {}
    if not any(_is_positive(allocatable.get(name)) for name in NATIVE_GPU_RESOURCES):
        return TENSOR_FUSION
    reserved = ({} if pool is None else pool.get("spec") or {}).get("reservedUUIDs") or ()
    is_reserved = _name(gpu).lower() in {str(uuid).strip().lower() for uuid in reserved}
    return TENSOR_FUSION if is_reserved else DEVICE_PLUGIN


def _placing_problem(gpu: Object, node: Object | None, pool: Object | None) -> str:
    """Return why no worker may be on a GPU; what differs from GPU to GPU is in brackets."""
    phase = (gpu.get("status") or {}).get("phase")
    if gpu["metadata"].get("deletionTimestamp"):
        return "being deleted"
    problem = _node_problem(gpu, node, pool)
    if problem or phase == RUNNING:
        return problem
    return f"in phase {phase}" if phase else "in no phase yet"


def _node_problem(gpu: Object, node: Object | None, pool: Object | None) -> str:
    name = node_of(gpu)
    if not name:
        return "of no known node"
    if node is None:
        return f"of a node that does not exist ({name})"
    if used_by(gpu, node, pool) == DEVICE_PLUGIN:
        return f"given out by the device plugin of its node and not in reservedUUIDs ({name})"
    return f"on a node that no pool selects ({name})" if pool is None else ""


def _strange_uuid(gpu: Object) -> str:
    """Return what is wrong with a GPU whose pods would be counted on another one, or on none."""
    uuid = (gpu.get("status") or {}).get("uuid")
    return f"of another UUID than its name ({uuid})" if uuid and uuid.lower() != _name(gpu) else ""


@lru_cache(maxsize=1024)
def _shared(amounts: GpuAmounts) -> GpuAmounts:
    """Return the same object for the same amounts.

    All cards of a pool are read for each placement; alike ones share what they have, and so fit
    into the processor's cache.
    """
    return amounts


def _capacity(status: Object) -> tuple[GpuAmounts, str]:
    stated = status.get("capacity") or {}
    known = {key: value for key, value in stated.items() if key in {"tflops", "vram"}}
    amounts, problems = ResourceAmounts.from_mapping(known, "status.capacity")
    unreadable = f"of an unreadable capacity ({problems[0]})" if problems else ""
    return GpuAmounts.capacity_of(amounts), unreadable


def _lack_of_capacity(capacity: GpuAmounts) -> str:
    if capacity.microtflops <= 0:
        return "without known TFLOPS"
    return "" if capacity.vram_bytes > 0 else "without known VRAM"


def _oversell_percent(pool: Object | None) -> tuple[Decimal, str]:
    """Return how much of the TFLOPS may be requested, and what is wrong where it is not known."""
    capacity = ({} if pool is None else pool.get("spec") or {}).get("capacityConfig") or {}
    ratio = (capacity.get("oversubscription") or {}).get(_RATIO)
    if ratio is None:
        return _ALL_PERCENT, ""
    try:
        percent = parse_quantity(ratio, _RATIO)
    except InvalidValueError as error:
        return _ALL_PERCENT, f"of a pool with an unreadable {_RATIO} ({error})"
    if percent < _ALL_PERCENT:
        allowed = f"{ratio!r} is not valid; allowed: {_ALL_PERCENT} (percent) or more"
        return _ALL_PERCENT, f"of a pool with an unusable {_RATIO} ({allowed})"
    return percent, ""


def _is_positive(quantity: object) -> bool:
    return quantity is not None and parse_quantity(str(quantity)) > 0


def _selecting(labels: Mapping[str, str], pools: Iterable[Object]) -> list[Object]:
    return [pool for pool in pools if _selects(pool, labels)]


def _selects(pool: Object, labels: Mapping[str, str]) -> bool:
    selector = (pool.get("spec") or {}).get("nodeSelector") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _by_age(pools: Iterable[Object]) -> list[Object]:
    return sorted(pools, key=lambda pool: (_created(pool), _name(pool)))


def _created(pool: Object) -> str:
    return str(pool["metadata"].get("creationTimestamp") or "")


def _labels(obj: Object) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])
