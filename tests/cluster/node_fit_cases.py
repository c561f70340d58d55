"""Pods with the only node that each may run on, and whether the scheduler puts it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TEAM_A = {"key": "team", "value": "a", "effect": "NoSchedule"}
CORDON = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A pod, and the only node that it may run on."""

    fits: bool
    spec: Mapping[str, Any] = field(default_factory=dict)
    """Of the pod."""
    container: Mapping[str, Any] = field(default_factory=dict)
    node: Mapping[str, Any] = field(default_factory=dict)
    """Words of ``add_node``."""
    node_spec: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[Mapping[str, Any], ...] = ()
    """Containers of pods that run on the node already."""
    has_ended: bool = False
    """These have run."""
    volume_zone: str = ""
    """Of a volume that the pod uses; the node is in zone a."""


def node_of(name: str) -> str:
    """Return the name of the node of a case."""
    return f"fit-{name}"


def asks(**amounts: str) -> dict[str, Any]:
    resources = {name.replace("_", "-"): amount for name, amount in amounts.items()}
    return {"resources": {"requests": resources}}


def gpus(count: int) -> dict[str, Any]:
    limits = {"example.com/device": str(count)}
    return {"resources": {"limits": limits}}


def start(cpu: str, **fields: Any) -> dict[str, Any]:
    return {"name": fields.pop("name", "start"), "image": "pretended", **asks(cpu=cpu), **fields}


def sidecar(cpu: str) -> dict[str, Any]:
    return start(cpu, name="beside", restartPolicy="Always")


def tolerates(**toleration: str) -> dict[str, Any]:
    return {"tolerations": [toleration]}


def tainted(**taint: str) -> dict[str, Any]:
    return {"taints": [{**TEAM_A, **taint}]}


def required(*terms: Mapping[str, Any]) -> dict[str, Any]:
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": rule}}


def term(key: str, operator: str, *values: str) -> dict[str, Any]:
    requirement = {"key": key, "operator": operator}
    return {"matchExpressions": [{**requirement, **({"values": list(values)} if values else {})}]}


def named(name: str) -> dict[str, Any]:
    field = {"key": "metadata.name", "operator": "In", "values": [name]}
    return {"matchFields": [field]}


def port(number: int, **fields: str) -> dict[str, Any]:
    return {"ports": [{"containerPort": number, "hostPort": number, **fields}]}


TWO_CPUS = {"cpu": "2"}
ZONE_A = {"labels": {"zone": "a", "size": "10"}}
CASES = {
    "empty-pod": Case(fits=True),
    "all-cpu": Case(fits=True, container=asks(cpu="2"), node=TWO_CPUS),
    "more-cpu": Case(fits=False, container=asks(cpu="2001m"), node=TWO_CPUS),
    "cpu-beside": Case(
        fits=True, container=asks(cpu="500m"), node=TWO_CPUS, others=(asks(cpu="1500m"),)
    ),
    "cpu-taken": Case(
        fits=False, container=asks(cpu="501m"), node=TWO_CPUS, others=(asks(cpu="1500m"),)
    ),
    "cpu-of-ended": Case(
        fits=True,
        container=asks(cpu="2"),
        node=TWO_CPUS,
        others=(asks(cpu="1500m"),),
        has_ended=True,
    ),
    "memory-taken": Case(
        fits=False,
        container=asks(memory="2Gi"),
        node={"memory": "4Gi"},
        others=(asks(memory="1Gi"), asks(memory="1025Mi")),
    ),
    "greedy-start": Case(
        fits=False,
        container=asks(cpu="1"),
        spec={"initContainers": [start("3")]},
        node=TWO_CPUS,
    ),
    "start-and-run-in-turn": Case(
        fits=True,
        container=asks(cpu="2"),
        spec={"initContainers": [start("2")]},
        node=TWO_CPUS,
    ),
    "sidecar-beside": Case(
        fits=False,
        container=asks(cpu="1500m"),
        spec={"initContainers": [sidecar("1")]},
        node=TWO_CPUS,
    ),
    "start-before-sidecar": Case(
        fits=True,
        container=asks(cpu="1"),
        spec={"initContainers": [start("2"), sidecar("1")]},
        node=TWO_CPUS,
    ),
    "start-after-sidecar": Case(
        fits=False,
        container=asks(cpu="1"),
        spec={"initContainers": [sidecar("1"), start("1500m")]},
        node=TWO_CPUS,
    ),
    "whole-pod-small": Case(
        fits=True,
        spec={"resources": {"requests": {"cpu": "2"}}},
        container=asks(cpu="1"),
        node=TWO_CPUS,
    ),
    "device-there": Case(
        fits=True, container=gpus(1), node={"capacity": {"example.com/device": "1"}}
    ),
    "device-taken": Case(
        fits=False,
        container=gpus(1),
        node={"capacity": {"example.com/device": "1"}},
        others=(gpus(1),),
    ),
    "no-device": Case(fits=False, container=gpus(1)),
    "last-place": Case(fits=True, node={"pods": 2}, others=({},)),
    "no-place": Case(fits=False, node={"pods": 1}, others=({},)),
    "cordoned": Case(fits=False, node_spec={"unschedulable": True}),
    "cordon-tolerated": Case(
        fits=True, spec={"tolerations": [CORDON]}, node_spec={"unschedulable": True}
    ),
    "tainted": Case(fits=False, node_spec=tainted()),
    "taint-evicting": Case(fits=False, node_spec=tainted(effect="NoExecute")),
    "taint-preferring": Case(fits=True, node_spec=tainted(effect="PreferNoSchedule")),
    "taint-equal": Case(fits=True, spec=tolerates(key="team", value="a"), node_spec=tainted()),
    "taint-other-value": Case(
        fits=False, spec=tolerates(key="team", value="b"), node_spec=tainted()
    ),
    "taint-exists": Case(
        fits=True, spec=tolerates(key="team", operator="Exists"), node_spec=tainted()
    ),
    "taint-anything": Case(fits=True, spec=tolerates(operator="Exists"), node_spec=tainted()),
    "taint-other-effect": Case(
        fits=False,
        spec=tolerates(key="team", operator="Exists", effect="NoExecute"),
        node_spec=tainted(),
    ),
    "affinity-in": Case(fits=True, spec=required(term("zone", "In", "b", "a")), node=ZONE_A),
    "affinity-not-in": Case(fits=False, spec=required(term("zone", "NotIn", "a")), node=ZONE_A),
    "affinity-not-in-absent": Case(fits=True, spec=required(term("gone", "NotIn", "a"))),
    "affinity-greater": Case(fits=True, spec=required(term("size", "Gt", "9")), node=ZONE_A),
    "affinity-not-greater": Case(fits=False, spec=required(term("size", "Gt", "10")), node=ZONE_A),
    "affinity-less": Case(fits=False, spec=required(term("zone", "Lt", "10")), node=ZONE_A),
    "affinity-absent": Case(fits=False, spec=required(term("zone", "DoesNotExist")), node=ZONE_A),
    "affinity-name": Case(fits=True, spec=required(named(node_of("affinity-name")))),
    "affinity-other-name": Case(fits=False, spec=required(named(node_of("other")))),
    "affinity-empty-term": Case(fits=False, spec=required({})),
    "affinity-any-term": Case(
        fits=True, spec=required({}, term("zone", "Exists"), named(node_of("other"))), node=ZONE_A
    ),
    "port-taken": Case(fits=False, container=port(80), others=(port(80),)),
    "port-of-one-address": Case(
        fits=False, container=port(80), others=(port(80, hostIP="127.0.0.1"),)
    ),
    "port-of-another-address": Case(
        fits=True,
        container=port(80, hostIP="127.0.0.2"),
        others=(port(80, hostIP="127.0.0.1"),),
    ),
    "port-of-another-protocol": Case(
        fits=True, container=port(80), others=(port(80, protocol="UDP"),)
    ),
    "volume-here": Case(fits=True, volume_zone="a", node=ZONE_A),
    "volume-elsewhere": Case(fits=False, volume_zone="b", node=ZONE_A),
}
