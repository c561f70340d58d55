"""The GPUs of the cluster, and how large a request they have room for.

What is free the controller says of each GPU, oversubscription included.  It lags by a moment and
binds nobody: whether a worker gets what is asked for is decided when it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from autoscaler.api.names import POOL_LABEL
from autoscaler.kube.store import Object, Store
from autoscaler.scaling.cluster import Amounts, amounts
from autoscaler.scaling.live.amount_units import NOTHING, highest
from autoscaler.scaling.live.change_marks import StoreMarks
from recommender.amounts import ResourceAmounts
from recommender.gpu_models import find_gpu_model

RUNNING, TENSOR_FUSION = "Running", "tensor-fusion"
"""Phase and ``usedBy`` of GPUs that workers are placed on."""
GroupKey = tuple[str, str]
"""Pool and full name of a GPU model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One GPU; two that are equal make no difference to any view."""

    name: str
    pool: str
    gpu_model: str
    """Full name, as the driver tells it."""
    model: str
    """Short name; may be empty."""
    capacity: Amounts
    """TFLOPS and bytes; what cannot be read is absent."""
    free: Amounts
    """Not requested; absent until the controller says it."""
    is_usable: bool
    """Whether workers are placed on it."""

    @property
    def group(self) -> GroupKey:
        """Return what it is alike to."""
        return self.pool, self.gpu_model


FindDevice = Callable[[str], Device | None]
"""Returns a GPU by the name of its object; None where it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomChange:
    """What is other than at the last look."""

    devices: frozenset[str] = frozenset()
    groups: frozenset[GroupKey] = frozenset()
    """Of which the largest room, or the card, is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The GPUs of one model in one pool, together."""

    most_free: Amounts
    """The most that is free on one of them, each resource on its own."""
    card: Amounts
    """What the largest of them has."""
    models: frozenset[str] = field(default_factory=frozenset)
    """Short names of the model."""


class Room:
    """GPUs as they were at the last look; for one thread."""

    def __init__(self, gpus: Store) -> None:
        self._marks = StoreMarks(gpus)
        self._devices: dict[str, Device] = {}
        self._members: dict[GroupKey, dict[str, Device]] = {}
        self._groups: dict[GroupKey, Group] = {}

    def look(self) -> RoomChange:
        """Take what changed of the GPUs; return what of it matters."""
        names = {name for _, name in self._marks.take()}
        changed: set[str] = set()
        groups: set[GroupKey] = set()
        for name in names:
            gpu = self._marks.store.get(None, name)
            old, new = self._devices.get(name), None if gpu is None else device_of(gpu)
            if old != new:
                changed.add(name)
                groups |= self._replace(old, new)
        return RoomChange(
            devices=frozenset(changed),
            groups=frozenset(group for group in groups if self._is_other(group)),
        )

    def device(self, name: str) -> Device | None:
        """Return a GPU by the name of its object; None where it is not there."""
        return self._devices.get(name)

    def group(self, pool: str, gpu_model: str) -> Group | None:
        """Return the GPUs of a model in a pool together; None where there are none."""
        return self._groups.get((pool, gpu_model))

    def models_in(self, pool: str, named: str) -> tuple[str, ...]:
        """Return the full names of the models of a pool that a name means; empty: all of them."""
        wanted, lower = find_gpu_model(named), named.casefold()
        return tuple(
            model
            for (of_pool, model), group in sorted(self._groups.items())
            if of_pool == pool
            and (
                not named
                or lower in {model.casefold(), *(short.casefold() for short in group.models)}
                or (wanted is not None and find_gpu_model(model) == wanted)
            )
        )

    def _replace(self, old: Device | None, new: Device | None) -> set[GroupKey]:
        """Put a GPU in the place of what it was; return the groups that it left and joined."""
        if old is not None:
            del self._devices[old.name]
            del self._members[old.group][old.name]
        if new is not None:
            self._devices[new.name] = new
            self._members.setdefault(new.group, {})[new.name] = new
        return {each.group for each in (old, new) if each is not None}

    def _is_other(self, key: GroupKey) -> bool:
        """Bring a group up to date; return whether it is another one than before."""
        before = self._groups.get(key)
        members = self._members.get(key)
        if not members:
            self._members.pop(key, None)
            self._groups.pop(key, None)
            return before is not None
        self._groups[key] = _group(members.values())
        return self._groups[key] != before


def device_of(gpu: Object) -> Device:
    """Return a GPU as its object says it; nothing is raised for what cannot be read."""
    metadata, status = gpu["metadata"], gpu.get("status") or {}
    is_ours = status.get("usedBy") in {None, "", TENSOR_FUSION}
    return Device(
        name=metadata["name"],
        pool=str((metadata.get("labels") or {}).get(POOL_LABEL) or ""),
        gpu_model=str(status.get("gpuModel") or ""),
        model=str(status.get("model") or ""),
        capacity=_amounts(status.get("capacity")),
        free=_amounts(status.get("available")),
        is_usable=is_ours and status.get("phase") == RUNNING and not _is_going(metadata),
    )


def room_on(own: Iterable[tuple[Device, Amounts]]) -> Amounts:
    """Return the largest request that GPUs have room for beside what others request of them.

    Each GPU comes with what is requested of it already, which counts as free.  A resource of which
    nothing is known is absent.
    """
    return highest(
        {name: free + request.get(name, 0.0) for name, free in device.free.items()}
        for device, request in own
    )


def _group(members: Iterable[Device]) -> Group:
    devices = tuple(members)
    return Group(
        most_free=highest(device.free for device in devices if device.is_usable),
        card=highest(device.capacity for device in devices),
        models=frozenset(device.model for device in devices if device.model),
    )


def _amounts(mapping: object) -> Amounts:
    if not isinstance(mapping, Mapping):
        return NOTHING
    read, _ = ResourceAmounts.from_mapping(mapping, "status")
    return amounts(read.base_units())


def _is_going(metadata: Mapping[str, object]) -> bool:
    return bool(metadata.get("deletionTimestamp"))
