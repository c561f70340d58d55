"""From a pod to the workload that owns it, for servers whose series name only the pod.

Exact where kube-state-metrics is scraped into the same server (``kube_pod_owner``), or where some
series states both.  Elsewhere the name of the pod is read by the rules with which Kubernetes makes
it; a name that fits none is its own workload.  The workload is called as its owner, whatever the
owner's kind is, so that both ways agree.

Rules: ``rand.SafeEncodeString`` and ``names.SimpleNameGenerator`` of Kubernetes' apimachinery and
apiserver, the name of a CronJob's Job from its scheduled time.  Nothing is asked of a server here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.printable import printable
from autoscaler.sources.prometheus.mapping import RENAMED
from autoscaler.sources.prometheus.promql import Matcher, aggregate, over_time, selector

OwnerOf = Callable[[str, str], str]
"""(namespace, pod) to the name of the workload."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What a pod belongs to."""

    name: str
    """Of the workload; a pod that nobody owns is its own."""
    kind: str = ""
    """``Deployment``, ``StatefulSet`` and so on, ``Pod`` of a pod that nobody owns; empty where it
    is not known."""

    def __str__(self) -> str:
        """Return ``Kind/name``; empty where the kind is not known."""
        return f"{self.kind}/{self.name}" if self.kind else ""


PodOwners = Mapping[tuple[str, str], Owner]
"""Exact answers: (namespace, pod) to its owner."""

_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]{5}"
"""The suffix that the API server appends to a ``generateName``: no vowels, no 0, 1 and 3."""
_HASH = "[456789bcdf]{7,10}"
"""A pod template's hash: the ten digits in that alphabet, of a 32-bit number.  Shorter ones are
one in 430, and would take words such as ``-70b`` away."""
_ORDINAL = "(?:0|[1-9][0-9]{0,2})"
"""A StatefulSet's ordinal; four digits are rather a year or a port."""
_SCHEDULED = "(?:[0-9]{8}|[0-9]{10})"
"""When a CronJob's Job was due, in minutes (in seconds before Kubernetes 1.21)."""
_NAME_RULES = tuple(
    re.compile(f"(.+?)-{suffix}")
    for suffix in (
        f"{_HASH}-{_RANDOM}",
        f"{_SCHEDULED}-(?:{_ORDINAL}-)?{_RANDOM}",
        f"{_ORDINAL}-{_RANDOM}",
        _RANDOM,
        _ORDINAL,
    )
)
"""Deployment; CronJob; Job with indexes; Job, DaemonSet and ReplicaSet; StatefulSet."""
_ABOVE: Mapping[str, tuple[str, re.Pattern[str]]] = MappingProxyType(
    {
        "ReplicaSet": ("Deployment", re.compile(f"(.+?)-{_HASH}")),
        "Job": ("CronJob", re.compile(f"(.+?)-{_SCHEDULED}")),
    }
)
"""Owners that have an owner themselves: its kind, and how their names are made of its name."""
_NO_OWNERS = frozenset({"", "<none>"})
_KINDS_OF_NO_WORKLOAD = frozenset({"", "<none>", "Node"})


def owner_query(window_s: int, matchers: Iterable[Matcher] = ()) -> str:
    """Return the query for the owners of all pods of the last ``window_s`` seconds."""
    pods = over_time("last_over_time", selector("kube_pod_owner", tuple(matchers)), window_s)
    names = ("namespace", "pod")
    labels = [f"{prefix}{name}" for name in names for prefix in (RENAMED, "")]
    return aggregate("max", pods, (*labels, "owner_kind", "owner_name", "owner_is_controller"))


def exact_owners(labels: Iterable[Mapping[str, str]]) -> dict[tuple[str, str], Owner]:
    """Return the workload of each pod that ``kube_pod_owner`` names.

    A ReplicaSet is followed to its Deployment and a Job to its CronJob by the name.  Of several
    owners the controller counts.  A pod without an owner is its own workload.
    """
    owners: dict[tuple[str, str], Owner] = {}
    controlled: set[tuple[str, str]] = set()
    for series in labels:
        pod = _named(series, "namespace"), _named(series, "pod")
        if not all(pod) or pod in controlled:
            continue
        owners[pod] = _owner(series, pod[1])
        if series.get("owner_is_controller") == "true":
            controlled.add(pod)
    return owners


def stated_owners(labels: Iterable[Mapping[str, str]]) -> dict[tuple[str, str], Owner]:
    """Return the workload of each worker from series that state both, by our own label names."""
    return {
        (series["namespace"], series["worker"]): Owner(series["workload"])
        for series in labels
        if series.get("namespace") and series.get("worker") and series.get("workload")
    }


def workload_by_name(pod: str) -> str:
    """Return the workload that a pod's name suggests; its own name where none fits."""
    for rule in _NAME_RULES:
        match = rule.fullmatch(pod)
        if match is not None:
            return match.group(1)
    return pod


def owner_of(exact: PodOwners) -> OwnerOf:
    """Return a look-up of workloads: exact where known, by the pod's name elsewhere.

    ``exact`` is read at each look-up, so its owner may go on filling it.
    """

    def look_up(namespace: str, pod: str) -> str:
        owner = exact.get((namespace, pod))
        return workload_by_name(pod) if owner is None else owner.name

    return look_up


def _owner(series: Mapping[str, str], pod: str) -> Owner:
    kind = printable(series.get("owner_kind", ""))
    name = printable(series.get("owner_name", ""))
    if kind in _KINDS_OF_NO_WORKLOAD or name in _NO_OWNERS:
        return Owner(pod, "Pod")
    kind_above, rule = _ABOVE.get(kind, ("", None))
    match = rule.fullmatch(name) if rule is not None else None
    return Owner(name, kind) if match is None else Owner(match.group(1), kind_above)


def _named(series: Mapping[str, str], label: str) -> str:
    return printable(series.get(f"{RENAMED}{label}") or series.get(label, ""))
