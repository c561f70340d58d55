"""What admission may look up: a view of the cluster that does not change while it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from autoscaler.api.control import Control
from autoscaler.api.object_key import ObjectKey
from autoscaler.webhook.admission import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What whoever runs the webhook decided; the same for every pod."""

    limiter_image: str
    """Image of the init container where the pool names none."""
    connection_endpoint: str = ""
    """URL where clients of remote workers ask for their connection."""
    has_standalone_workers: bool = False
    """Whether the controller may create worker pods (``--standalone-workers``)."""
    root_owners: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    """Additions to the table of owners: ``Kind.group`` to the kinds above it."""


class Snapshot(Protocol):
    """Lookups; objects are JSON mappings and must not be changed."""

    @property
    def installation(self) -> Installation:
        """Return what the installation decided."""
        ...

    @property
    def control(self) -> Control:
        """Return the process-wide mode and pause."""
        ...

    def find(self, key: ObjectKey) -> Object | None:
        """Return a profile, workload, pool, owner (metadata only) or PriorityClass by its name."""
        ...

    def pools(self) -> Sequence[Object]:
        """Return all GPU pools, the oldest first."""
        ...

    def quotas(self, namespace: str) -> Sequence[Object]:
        """Return the GPUResourceQuotas of a namespace, by name."""
        ...
