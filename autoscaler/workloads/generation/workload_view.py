"""One workload with its pods, and what follows from them alone.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoscaler.api.names import Component, WorkloadMode
from autoscaler.api.root_owner import Find, owners_of
from autoscaler.kube.store import Object
from autoscaler.workloads.generation.owner_replicas import owner_replicas
from autoscaler.workloads.generation.workload_mode import mode_of
from autoscaler.workloads.generation.workload_owners import (
    WorkloadOwners,
    is_generated,
    workload_owners,
)
from autoscaler.workloads.pod_state import component_of, is_live


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadView:
    """A workload as a reconciler sees it."""

    namespace: str
    name: str
    workload: Object | None
    """As the cache shows it; None: there is none."""
    pods: tuple[Object, ...]
    """All that name it, by name."""
    owners: WorkloadOwners
    mode: WorkloadMode | None
    """None: nobody says it."""
    owned_replicas: int
    """What its owners ask for together."""

    @property
    def is_users(self) -> bool:
        """Return whether a user wrote the workload, so that its spec is left alone."""
        return self.workload is not None and not is_generated(self.workload)

    @property
    def newest(self) -> Object | None:
        """Return the pod that the spec follows; None: there is none now."""
        return None if self.owners.first is None else self.owners.first.newest

    def live(self, component: Component) -> tuple[Object, ...]:
        """Return the pods of a component that have neither ended nor are about to go."""
        return tuple(pod for pod in self.pods if component_of(pod) is component and is_live(pod))


def view_of(
    workload: Object | None,
    namespace: str,
    name: str,
    pods: Sequence[Object],
    find: Find,
    added: Mapping[str, Sequence[str]],
) -> WorkloadView:
    """Return the view of a workload; ``added`` are additions to the table of owners."""
    owners = workload_owners(workload, (namespace, name), pods, find, added)
    is_ours = workload is None or is_generated(workload)
    references = owners.references if is_ours else ()
    further = owners_of({"metadata": {"ownerReferences": references}})
    return WorkloadView(
        namespace=namespace,
        name=name,
        workload=workload,
        pods=tuple(pods),
        owners=owners,
        mode=mode_of(workload, pods),
        owned_replicas=owner_replicas(owners.of_pods, further, namespace, find),
    )
