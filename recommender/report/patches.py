"""What a user would write to adopt a recommendation: merge patches and a kustomization.

A patch states values in the owner's pod template (a rollout follows), never on running pods.  Only
what this report recommends is in it; enrolment and policy stay as they are.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from recommender.policy.fields import ANNOTATION_PREFIX
from recommender.quantities import format_bytes_quantity, format_tflops
from recommender.report.blocks import Severity
from recommender.report.grouping import by_workload
from recommender.report.model import REPLICAS
from recommender.report.owners import (
    annotations_path,
    api_version,
    has_replicas,
    kind_and_name,
    remark,
)
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

if TYPE_CHECKING:
    from recommender.report.grouping import WorkloadGroup
    from recommender.report.model import Report
    from recommender.report.options import RenderOptions

_ANNOTATIONS = {
    TFLOPS.name: "tflops",
    COMPUTE_PERCENT.name: "compute-percent",
    VRAM.name: "vram",
}
_OPEN = {Severity.CRITICAL, Severity.WARNING, Severity.SAVING, Severity.UNSET}
"""Verdicts that ask for values to be stated."""


def size_patch(
    resource: str, owner: str | None, request: float | None, limit: float | None
) -> Mapping[str, object] | None:
    """Return the merge patch that states ``request`` and ``limit`` (base units) in the template.

    None where there is nothing to state, where the API has no place for the resource, and where
    it is not known where the owner keeps its template.
    """
    path = annotations_path(owner)
    if resource not in _ANNOTATIONS or path is None:
        return None
    amounts = {"request": request, "limit": limit}
    annotations = {
        f"{ANNOTATION_PREFIX}{annotation_name(resource, side)}": _quantity(resource, value)
        for side, value in amounts.items()
        if value is not None
    }
    if not annotations:
        return None
    return _nested(path, annotations)


def annotation_name(resource: str, side: str) -> str:
    """Return the annotation, without prefix, that states ``request`` or ``limit``."""
    return f"{_ANNOTATIONS.get(resource, resource)}-{side}"


def replicas_patch(owner: str | None, replicas: int) -> Mapping[str, object] | None:
    """Return the merge patch that sets the owner's replicas; None for one that has none."""
    return {"spec": {"replicas": replicas}} if has_replicas(owner) else None


def workload_patch(group: WorkloadGroup) -> dict[str, object]:
    """Return one patch of all changes of a workload; empty where nothing would change."""
    patch: dict[str, object] = {}
    for item in group.items:
        if item.patch is not None:
            patch = _merged(patch, item.patch)
    return patch


def render_patch(report: Report, options: RenderOptions | None = None) -> str:
    """Return one YAML document per workload, each with the command that applies it."""
    del options
    documents = []
    for group in by_workload(report.items):
        patch = workload_patch(group)
        if patch:
            documents.append(_comments(group, patch) + _yaml(patch))
    unpatched = _unpatched(report)
    return unpatched + "---\n".join(documents) or "# Nothing to change.\n"


def render_kustomize(report: Report) -> dict[str, str]:
    """Return file name to text: a ``kustomization.yaml`` component and one patch per workload.

    A workload whose owner is not known is written as a patch of a Deployment of its name, and
    says so.
    """
    files: dict[str, str] = {}
    entries = []
    for group in by_workload(report.items):
        patch = workload_patch(group)
        if not patch:
            continue
        kind, name = _target(group)
        file = _file_name(group, files)
        head = {
            "apiVersion": api_version(kind),
            "kind": kind,
            "metadata": {"name": name, "namespace": group.identity.namespace},
        }
        files[file] = _verdicts(group) + _remark(group) + _yaml(_merged(head, patch))
        entries.append({"path": file})
    component = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": entries,
    }
    return {"kustomization.yaml": _unpatched(report) + _yaml(component), **files}


def render_kustomize_text(report: Report, options: RenderOptions | None = None) -> str:
    """Return the files of :func:`render_kustomize` as one text, each below its name."""
    del options
    parts = [f"# file: {name}\n{text}" for name, text in render_kustomize(report).items()]
    return "---\n".join(parts)


def adoption(group: WorkloadGroup) -> str:
    """Return what to type to adopt a workload's recommendations, or why there is nothing to type.

    Remarks are comments of the shell; empty where nothing would change.
    """
    patch = workload_patch(group)
    if patch:
        return f"{_remark(group)}{patch_command(group, patch)}"
    return _remark(group).rstrip() if _is_unpatched(group) else ""


def patch_command(group: WorkloadGroup, patch: Mapping[str, object]) -> str:
    """Return the ``kubectl`` command that applies ``patch`` to the owner."""
    import orjson

    kind, name = _target(group)
    words = ("kubectl", "-n", group.identity.namespace, "patch", kind.lower(), name)
    return shlex.join((*words, "--type", "merge", "-p", orjson.dumps(patch).decode()))


def _quantity(resource: str, value: float) -> str:
    if resource == VRAM.name:
        return format_bytes_quantity(value)
    return format_tflops(value)


def _target(group: WorkloadGroup) -> tuple[str, str]:
    return kind_and_name(group.identity.owner, group.identity.workload)


def _is_unpatched(group: WorkloadGroup) -> bool:
    """Return whether values are to be stated that the kind of the owner has no place for."""
    return annotations_path(group.identity.owner) is None and any(
        item.severity in _OPEN and item.resource != REPLICAS for item in group.items
    )


def _unpatched(report: Report) -> str:
    groups = [group for group in by_workload(report.items) if _is_unpatched(group)]
    return "".join(_verdicts(group) + _remark(group) for group in groups)


def _remark(group: WorkloadGroup) -> str:
    text = remark(group.identity.owner)
    return _comment(f"{group.name}: {text}") if text else ""


def _nested(path: tuple[str, ...], value: object) -> dict[str, object]:
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def _merged(first: Mapping[str, object], second: Mapping[str, object]) -> dict[str, object]:
    merged = dict(first)
    for key, value in second.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _comments(group: WorkloadGroup, patch: Mapping[str, object]) -> str:
    return f"{_verdicts(group)}{_remark(group)}{_comment(patch_command(group, patch))}"


def _verdicts(group: WorkloadGroup) -> str:
    return "".join(
        _comment(f"{group.name} {item.resource}: {item.severity}, {item.verdict.sentence}")
        for item in group.items
        if item.patch is not None or item.resource == REPLICAS or _is_unpatched(group)
    )


def _comment(text: str) -> str:
    """Return a text as one line that neither YAML nor a shell reads."""
    return f"# {' '.join(text.splitlines())}\n"


def _file_name(group: WorkloadGroup, taken: Mapping[str, str]) -> str:
    stem = re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(part for part in group.identity.key if part))
    name, number = f"{stem}.yaml", 2
    while name in taken:
        name, number = f"{stem}-{number}.yaml", number + 1
    return name


def _yaml(value: object) -> str:
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, width=1000)
    return text
