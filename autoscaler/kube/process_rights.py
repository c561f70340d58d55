"""What each process of an installation, and each command with rights of its own, may do: one table.

The manifests grant exactly this, which a test compares, and ``tfa check`` asks the API server for
each of them.  Rights that an owner of a namespace grants by himself are not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from autoscaler.api.names import (
    AUTOSCALER_LEASE,
    CERTIFICATE_SECRET,
    CONTROL_CONFIG_MAP,
    CONTROLLER_LEASE,
    GROUP,
    TEMPLATE_WEBHOOK_CONFIGURATION,
    WEBHOOK_CONFIGURATION,
    ServiceAccount,
)

CACHE = ("list", "watch")
READ = ("get", "list", "watch")
REGISTRATION, COORDINATION = "admissionregistration.k8s.io", "coordination.k8s.io"
MUTATING, VALIDATING = "mutatingwebhookconfigurations", "validatingwebhookconfigurations"
APPLY_ROLE = "tensor-fusion-apply"
"""ClusterRole of ``tfa apply``, which nobody has before an owner of a namespace binds it."""


class Scope(StrEnum):
    """Where a right counts."""

    EVERYWHERE = "everywhere"
    """In all namespaces, and for objects without one."""
    INSTALLATION = "installation"
    """In the namespace of the installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One thing that may be done."""

    group: str
    resource: str
    """Plural, with a subresource after ``/``."""
    verb: str
    name: str = ""
    """Of the only object; empty: all of them."""
    scope: Scope = Scope.EVERYWHERE

    def __str__(self) -> str:
        where = " in the installation's namespace" if self.scope is Scope.INSTALLATION else ""
        full = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {full}{f' {self.name}' if self.name else ''}{where}"


def _may(
    group: str,
    resources: str,
    verbs: Sequence[str],
    name: str = "",
    *,
    scope: Scope = Scope.EVERYWHERE,
) -> Iterator[Right]:
    """Yield a right for each verb and each resource, which are separated by blanks."""
    for resource in resources.split():
        for verb in verbs:
            yield Right(group=group, resource=resource, verb=verb, name=name, scope=scope)


def _own(group: str, resources: str, verbs: Sequence[str], name: str = "") -> Iterator[Right]:
    return _may(group, resources, verbs, name, scope=Scope.INSTALLATION)


def _election(lease: str) -> Iterator[Right]:
    yield from _own(COORDINATION, "leases", ("get", "update"), lease)
    yield from _own(COORDINATION, "leases", ("create",))


_WEBHOOK = (
    *_may(GROUP, "workloadprofiles tensorfusionworkloads gpupools gpuresourcequotas", READ),
    *_may("apps", "replicasets statefulsets", READ),
    *_may("batch", "jobs", READ),
    *_may("scheduling.k8s.io", "priorityclasses", READ),
    *_own("", "secrets", READ, CERTIFICATE_SECRET),
    *_own("", "configmaps", READ, CONTROL_CONFIG_MAP),
)
_CONTROLLER = (
    *_may("", "pods", (*READ, "patch", "delete")),
    *_may("", "pods/eviction", ("create",)),
    *_may("policy", "poddisruptionbudgets", ("list",)),
    *_may("", "nodes persistentvolumes persistentvolumeclaims", CACHE),
    *_may("apps", "deployments statefulsets replicasets", CACHE),
    *_may("batch", "jobs", CACHE),
    *_may(GROUP, "workloadprofiles gpupools gpuresourcequotas", CACHE),
    *_may(GROUP, "gpus", (*CACHE, "patch")),
    *_may(GROUP, "tensorfusionworkloads", (*CACHE, "create", "patch")),
    *_may(GROUP, "tensorfusionconnections", (*CACHE, "create")),
    *_may(
        GROUP,
        "gpupools/status gpuresourcequotas/status gpus/status tensorfusionconnections/status "
        "tensorfusionworkloads/status",
        ("patch",),
    ),
    *_may("events.k8s.io", "events", ("create", "patch")),
    *_may(REGISTRATION, MUTATING, ("get", "patch"), WEBHOOK_CONFIGURATION),
    *_may(REGISTRATION, VALIDATING, ("get", "patch"), WEBHOOK_CONFIGURATION),
    *_may(REGISTRATION, VALIDATING, ("get", "patch"), TEMPLATE_WEBHOOK_CONFIGURATION),
    *_own("", "secrets", ("get", "update"), CERTIFICATE_SECRET),
    *_own("", "secrets", ("create",)),
    *_own("", "configmaps", CACHE, CONTROL_CONFIG_MAP),
    *_own("discovery.k8s.io", "endpointslices", ("list",)),
    *_election(CONTROLLER_LEASE),
)
_AUTOSCALER = (
    *_may(GROUP, "tensorfusionworkloads", READ),
    *_may(GROUP, "gpus gpupools gpuresourcequotas", CACHE),
    *_may("", "pods namespaces", CACHE),
    *_may("", "services", ("list",)),
    *_may("autoscaling", "horizontalpodautoscalers", CACHE),
    *_may("keda.sh", "scaledobjects", ("list",)),
    *_may(GROUP, "tensorfusionworkloads/status", ("patch",)),
    *_may(GROUP, "tensorfusionworkloads/scale", ("get", "patch")),
    *_may("apps", "deployments/scale statefulsets/scale", ("get", "patch")),
    *_may("events.k8s.io", "events", ("create", "patch")),
    *_may(REGISTRATION, MUTATING, ("get",), WEBHOOK_CONFIGURATION),
    *_own("", "configmaps", CACHE, CONTROL_CONFIG_MAP),
    *_own("discovery.k8s.io", "endpointslices", ("list",)),
    *_election(AUTOSCALER_LEASE),
)
_AGENT = (
    *_may("", "pods", CACHE),
    *_may("", "nodes", ("get",)),
    *_may(GROUP, "gpus", (*CACHE, "create")),
    *_may(GROUP, "gpus/status", ("patch",)),
    *_may("events.k8s.io", "events", ("create", "patch")),
)
_APPLY = (
    *_may("apps", "deployments statefulsets daemonsets replicasets", ("get", "patch")),
    *_may("batch", "cronjobs", ("get", "patch")),
    *_may("argoproj.io", "rollouts", ("get", "patch")),
    *_may(GROUP, "workloadprofiles", ("get", "patch")),
    *_may(GROUP, "tensorfusionworkloads", ("get", "list")),
)
RIGHTS: Mapping[str, Sequence[Right]] = MappingProxyType(
    {
        ServiceAccount.WEBHOOK: _WEBHOOK,
        ServiceAccount.CONTROLLER: _CONTROLLER,
        ServiceAccount.AUTOSCALER: _AUTOSCALER,
        ServiceAccount.AGENT: _AGENT,
        APPLY_ROLE: _APPLY,
    }
)
"""ServiceAccount, or ClusterRole of a command, to what it may do."""
