"""Pods that ask for a GPU, and what becomes of them."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import PREFIX
from autoscaler.webhook.admission import Admission, PodRequest
from autoscaler.webhook.admit import admit
from tests.autoscaler.webhook.clusters import NAMESPACE, MemorySnapshot, cluster
from tests.autoscaler.webhook.pods import pod

AMOUNTS = {"tflops_request": "10", "vram_request": "4Gi"}


def keys(**values: str) -> dict[str, str]:
    """Return annotations by their short keys, written with _ for -."""
    return {f"{PREFIX}{key.replace('_', '-')}": text for key, text in values.items()}


def asking(*containers: Any, labels: dict[str, str] | None = None, **values: Any) -> dict[str, Any]:
    """Return a pod that asks for a GPU; values are annotations by their short keys."""
    annotations = keys(**values)
    return pod(
        *containers, annotations=annotations, labels={f"{PREFIX}enabled": "true", **(labels or {})}
    )


def asked(obj: dict[str, Any], snapshot: MemorySnapshot | None = None) -> Admission:
    request = PodRequest(pod=obj, namespace=NAMESPACE)
    return admit(request, cluster() if snapshot is None else snapshot)


def refused(obj: dict[str, Any], snapshot: MemorySnapshot | None = None) -> str:
    """Return why a pod is refused."""
    admission = asked(obj, snapshot)
    assert admission.error
    assert admission.patch == ()
    return admission.error


@dataclass(frozen=True)
class Admitted:
    """A pod after its patch."""

    pod: dict[str, Any]
    warnings: tuple[str, ...]

    @property
    def annotations(self) -> dict[str, str]:
        """Return annotations of ours by their short keys."""
        return _ours(self.pod["metadata"]["annotations"])

    @property
    def labels(self) -> dict[str, str]:
        return _ours(self.pod["metadata"]["labels"])

    def amounts(self, prefix: str = "") -> dict[str, str]:
        """Return the amounts in force; those declared with ``prefix="declared-"``."""
        names = [
            f"{n}-{e}" for n in ("tflops", "compute-percent", "vram") for e in ("request", "limit")
        ]
        found = self.annotations
        return {name: found[f"{prefix}{name}"] for name in names if f"{prefix}{name}" in found}


def admitted(obj: dict[str, Any], snapshot: MemorySnapshot | None = None) -> Admitted:
    """Return a pod as admitted; a refusal fails the test."""
    admission = asked(obj, snapshot)
    assert admission.error == ""
    return Admitted(patched(obj, admission), admission.warnings)


def patched(obj: dict[str, Any], admission: Admission) -> dict[str, Any]:
    """Return an object after a JSON Patch."""
    new: Any = json.loads(json.dumps(obj))  # JSON shares no parts
    for operation in admission.patch:
        *above, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        target = new
        for part in above:
            target = target[int(part)] if isinstance(target, list) else target[part]
        key: Any = int(last) if isinstance(target, list) else last
        value = copy.deepcopy(operation.get("value"))
        if operation["op"] == "remove":
            del target[key]
        elif operation["op"] == "add" and isinstance(target, list):
            target.insert(key, value)
        else:
            target[key] = value
    return new


def _ours(texts: dict[str, str]) -> dict[str, str]:
    return {key.removeprefix(PREFIX): text for key, text in texts.items() if key.startswith(PREFIX)}
