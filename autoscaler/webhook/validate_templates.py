"""Warnings about pod templates, so that whoever applies a Deployment sees what its pods will meet.

The template is admitted as its pods will be; nothing is refused here, because not every pod of a
template may ever be made and the next change may mend it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autoscaler.api.names import COMPONENT, DECLARED, ENABLED, PREFIX
from autoscaler.webhook.admission import Admission, Object, PodRequest
from autoscaler.webhook.snapshot import Snapshot

TEMPLATE_PATHS: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_MOST_NAMED = 5


def validate_template(
    kind: str,
    obj: Object,
    snapshot: Snapshot,
    admit: Callable[[PodRequest, Snapshot], Admission],
) -> tuple[str, ...]:
    """Return warnings of an object with a pod template, by the admission of its pods.

    Objects that a controller made (a CronJob's Job) bring none: their owner was looked at.
    """
    metadata = obj.get("metadata") or {}
    path = TEMPLATE_PATHS.get(kind)
    if path is None or _is_controlled(metadata):
        return ()
    template = _at(obj, path)
    labels = (template.get("metadata") or {}).get("labels") or {}
    where = ".".join((*path, "metadata.labels"))
    if labels.get(ENABLED) != "true":
        return tuple(without_label(obj, template, where))
    namespace = str(metadata.get("namespace") or "")
    request = PodRequest(pod=template_pod(obj, kind, template, namespace), namespace=namespace)
    admission = admit(request, snapshot)
    warnings = (*_declared(template), *admission.warnings)
    if not admission.error:
        return warnings
    # The object itself, which is only about to be created, is looked for as their owner.
    absent = [f"{key.kind} {key.name}" for key in admission.missing if key.kind != kind]
    unless = f" (unless {', '.join(absent)} exists by then)" if absent else ""
    refused = f"pods of this template will be refused{unless}"
    # A warning each: long ones are cut on their way to the user.
    reasons = admission.reasons or (admission.error,)
    return (*(f"{refused}: {reason}" for reason in reasons), *warnings)


def template_pod(obj: Object, kind: str, template: Object, namespace: str) -> dict[str, Any]:
    """Return the pod that will be made, owned by the object that stays: not by a ReplicaSet."""
    owner = obj.get("metadata") or {}
    name = str(owner.get("name") or owner.get("generateName") or "").rstrip("-")
    reference = {
        "apiVersion": obj.get("apiVersion"),
        "kind": kind,
        "name": name,
        "uid": owner.get("uid") or "",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {
        **(template.get("metadata") or {}),
        "namespace": namespace,
        "generateName": f"{name}-",
        "ownerReferences": [reference],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }


def _declared(template: Object) -> tuple[str, ...]:
    """Say which amounts count in a template that was copied from an admitted pod."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    declared = [key for key in DECLARED if key in annotations]
    if not declared:
        return ()
    more = f" and {len(declared) - 1} more" if len(declared) > 1 else ""
    what = "counts in place of the amounts without declared-; allowed, but better left out here"
    return (f"annotation {declared[0]}{more}: {what}",)


def without_label(obj: Object, template: Object, where: str) -> tuple[str, ...]:
    """Return what somebody wrote for us in a template that admission will not look at."""
    metadata = template.get("metadata") or {}
    labels = metadata.get("labels") or {}
    if labels.get(ENABLED) == "false":  # switched off on purpose
        return ()
    needed = f"without the label {ENABLED}: 'true' in {where}"
    own = (obj.get("metadata") or {}).get("labels") or {}
    ours = sorted(key for key in metadata.get("annotations") or {} if key.startswith(PREFIX))
    if COMPONENT in labels:
        return (f"pods of this template will be refused: label {COMPONENT} is refused {needed}",)
    if ours:
        more = f" and {len(ours) - _MOST_NAMED} more" if len(ours) > _MOST_NAMED else ""
        return (f"{', '.join(ours[:_MOST_NAMED])}{more}: no effect {needed}",)
    if ENABLED in labels:
        return (f"label {ENABLED}: {labels[ENABLED]!r} has no effect; allowed: true, false",)
    if ENABLED in own:
        return (f"label {ENABLED} of the object itself: no effect {needed}",)
    return ()


def _is_controlled(metadata: Mapping[str, Any]) -> bool:
    references = metadata.get("ownerReferences") or ()
    return any(reference.get("controller") is True for reference in references)


def _at(obj: Object, path: tuple[str, ...]) -> Object:
    value: Any = obj
    for name in path:
        value = (value or {}).get(name)
    return value or {}
