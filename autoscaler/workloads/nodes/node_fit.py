"""Whether a node has what a pod asks of it, by the rules of the scheduler of Kubernetes.

The scheduler decides; this keeps a pod from being placed where the scheduler would refuse it.
Beyond its rules a node must be ready, also for pods that tolerate one that is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from autoscaler.kube.store import Object
from autoscaler.workloads.nodes.node_books import NodeTaken
from autoscaler.workloads.nodes.node_needs import NodeNeeds
from autoscaler.workloads.nodes.node_terms import integer_of, matches_any
from autoscaler.workloads.nodes.pod_requests import CPU, MILLI, HostPort, counted
from recommender.quantities import format_quantity

HOSTNAME = "kubernetes.io/hostname"
_PODS = "pods"
_BYTES = ("memory", "ephemeral-storage")
_KEEPING_OFF = ("NoSchedule", "NoExecute")
_CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def misfit(needs: NodeNeeds, node: Object, taken: NodeTaken) -> str:
    """Return why a pod cannot run on a node, as a part of a sentence; empty where it can.

    What differs from node to node stands in brackets at the end.
    """
    return (
        _state(needs, node)
        or _taint(needs, node)
        or _labels(needs, node)
        or _ports(needs, taken)
        or _amounts(needs, node, taken)
        or _volumes(needs, node)
    )


def is_ready(node: Object) -> bool:
    """Return whether a node's kubelet says that it can run pods."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _state(needs: NodeNeeds, node: Object) -> str:
    if node["metadata"].get("deletionTimestamp"):
        return "being deleted"
    is_cordoned = (node.get("spec") or {}).get("unschedulable")
    if is_cordoned and not _tolerates(needs, _CORDONED):
        return "cordoned"
    return "" if is_ready(node) else "not Ready"


def _taint(needs: NodeNeeds, node: Object) -> str:
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") in _KEEPING_OFF and not _tolerates(needs, taint):
            value = f"={taint['value']}" if taint.get("value") else ""
            return f"taint {taint['key']}{value}:{taint['effect']}"
    return ""


def _tolerates(needs: NodeNeeds, taint: Mapping[str, Any]) -> bool:
    return any(_is_about(toleration, taint) for toleration in needs.tolerations)


def _is_about(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    tolerated, value = toleration.get("value") or "", taint.get("value") or ""
    match toleration.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(tolerated == value)
        case "Gt" | "Lt" as operator:
            return _compares(operator, integer_of(value), integer_of(tolerated))
        case _:
            return False  # an operator of a later Kubernetes: what it tolerates is not known


def _compares(operator: str, value: int | None, bound: int | None) -> bool:
    if value is None or bound is None:
        return False
    return value > bound if operator == "Gt" else value < bound


def _labels(needs: NodeNeeds, node: Object) -> str:
    labels = node["metadata"].get("labels") or {}
    if HOSTNAME not in labels:
        return f"no label {HOSTNAME}"
    for key, value in needs.selector.items():
        if labels.get(key) != value:
            return f"node selector {key}={value}"
    if needs.affinity is not None and not matches_any(needs.affinity, node):
        return "required node affinity"
    return ""


def _ports(needs: NodeNeeds, taken: NodeTaken) -> str:
    for port in sorted(needs.requests.host_ports):
        if any(port.conflicts_with(other) for other in taken.host_ports):
            return f"host port {_port(port)} taken"
    return ""


def _amounts(needs: NodeNeeds, node: Object, taken: NodeTaken) -> str:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    if taken.pods + 1 > counted(_PODS, str(allocatable.get(_PODS, "0"))):
        return f"Too many pods ({taken.pods} on it)"
    for name, asked in needs.requests.amounts.items():
        has = counted(name, str(allocatable.get(name, "0")))
        free = has - taken.amounts.get(name, 0)
        if asked > free:
            free_text, has_text = _text(name, max(free, 0)), _text(name, has)
            asked_text = _text(name, asked)
            return f"Insufficient {name} (asks for {asked_text}, {free_text} of {has_text} free)"
    return ""


def _volumes(needs: NodeNeeds, node: Object) -> str:
    for volume in needs.volumes:
        if volume.problem:
            return volume.problem
        if volume.terms is not None and not matches_any(volume.terms, node):
            return f"volume of claim {volume.claim} elsewhere"
    return ""


def _port(port: HostPort) -> str:
    return f"{port.port}/{port.protocol}"


def _text(name: str, amount: int) -> str:
    if name == CPU:
        return format_quantity(Decimal(amount) / MILLI)
    return format_quantity(Decimal(amount), "binary" if name in _BYTES else "decimal")
