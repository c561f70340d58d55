"""What a query asks for, told by Prometheus' own parser, and held against what is exported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import urllib3

from autoscaler.telemetry.agent_families import AGENT_FAMILIES
from autoscaler.telemetry.families import FAMILIES
from autoscaler.telemetry.family import Kind

OF_TARGETS = frozenset({"job", "instance"})
"""Labels that Prometheus itself adds to every series."""
SUFFIXES = {"_bucket": frozenset({"le"}), "_sum": frozenset(), "_count": frozenset()}
LABELS_OF = {family.name: frozenset(family.labels) for family in (*FAMILIES, *AGENT_FAMILIES)} | {
    f"{family.name}{suffix}": frozenset(family.labels) | labels
    for family in (*FAMILIES, *AGENT_FAMILIES)
    if family.kind is Kind.HISTOGRAM
    for suffix, labels in SUFFIXES.items()
}
"""Name of every exported series to the labels that it has."""
THRESHOLD = re.compile(r"(?<!leader) (==|>=|>|<) (?=\d)")
"""Not the comparison that leaves out who does not lead."""


def parsed(url: str, query: str) -> dict[str, Any]:
    """Return the syntax tree of a query, as a Prometheus 3 tells it."""
    return _asked(url, "parse_query", query=query)


def problems(tree: dict[str, Any]) -> list[str]:
    """Return what the query asks for and no process exports."""
    return [*_of_selectors(tree), *_of_groupings(tree)]


def values(url: str, query: str, now_s: int) -> dict[tuple[tuple[str, str], ...], float]:
    """Return labels to value of a query at one moment."""
    result = _asked(url, "query", query=query, time=str(now_s))["result"]
    return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in result}


def most(url: str, query: str, end_s: int, *, over_s: int = 3600) -> dict[str, float]:
    """Return labels to the highest value of a query within the last hour, looked at each minute."""
    span = {"start": str(end_s - over_s), "end": str(end_s), "step": "60"}
    result = _asked(url, "query_range", query=query, **span)["result"]
    return {
        str(sorted(each["metric"].items())): max(float(value) for _, value in each["values"])
        for each in result
    }


def without_threshold(query: str) -> str:
    """Return a query that has a series for everything that an alert looks at, and not above it.

    What is absent when the alert fires is counted.
    """
    return THRESHOLD.sub(r" \1 bool ", query).replace("absent(", "count(")


def _asked(url: str, path: str, **fields: str) -> Any:
    answer = urllib3.request("POST", f"{url}/api/v1/{path}", fields=fields, timeout=30.0)
    body = answer.json()
    assert body["status"] == "success", f"{fields['query']}: {body['error']}"
    return body["data"]


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    for below in tree if isinstance(tree, list) else ():
        yield from _nodes(below)


def _of_selectors(tree: dict[str, Any]) -> Iterator[str]:
    for node in _selectors(tree):
        name = node["name"]
        if name not in LABELS_OF:
            yield f"{name} is not exported"
            continue
        asked = {each["name"] for each in node["matchers"]} - {"__name__"}
        yield from (f"{name} has no label {each}" for each in asked - _labels(node))


def _of_groupings(tree: dict[str, Any]) -> Iterator[str]:
    """Name labels of ``by`` and ``on`` that no series below them has."""
    for node in _nodes(tree):
        asked = node.get("grouping") or (node.get("matching") or {}).get("labels") or ()
        sides = (node["expr"],) if "grouping" in node else (node.get("lhs"), node.get("rhs"))
        for side in sides if asked else ():
            known = frozenset().union(*map(_labels, _selectors(side)))
            yield from (f"{each} is a label of nothing here" for each in set(asked) - known)


def _selectors(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kinds = {"vectorSelector", "matrixSelector"}
    return (node for node in _nodes(tree) if node.get("type") in kinds)


def _labels(selector: dict[str, Any]) -> frozenset[str]:
    return LABELS_OF.get(selector["name"], frozenset()) | OF_TARGETS
