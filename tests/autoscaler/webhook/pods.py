"""Pods as the tests of admission write them: short, and JSON throughout."""

from __future__ import annotations

from typing import Any


def container(name: str = "main", *, gpus: object = None, **fields: Any) -> dict[str, Any]:
    """Return a container; ``gpus`` is its native GPU limit."""
    amounts = {} if gpus is None else {"resources": {"limits": {"nvidia.com/gpu": gpus}}}
    return {"name": name, "image": "cuda", **amounts, **fields}


def pod(
    *containers: dict[str, Any],
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a pod called ``job`` with these containers, else with one called ``main``."""
    metadata: dict[str, Any] = {"name": "job", "namespace": "team"}
    if annotations is not None:
        metadata["annotations"] = annotations
    if labels is not None:
        metadata["labels"] = labels
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": list(containers) or [container()], **spec},
    }


def named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the one item of a list that has this name."""
    [item] = [item for item in items if item["name"] == name]
    return item
