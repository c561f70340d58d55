"""Pods and objects with pod templates, by the words of admission.

What the annotations themselves get wrong is an error.  Where admission looks for objects that no
file has, it could still admit the pod in the cluster, so that all else it says is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from autoscaler.api.names import PREFIX
from autoscaler.api.shape import CustomObject, shape_problems
from autoscaler.checking.files.pod_shape import PodTemplate
from autoscaler.kube.resource import PODS
from autoscaler.webhook.admission import PodRequest
from autoscaler.webhook.admit import admit
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.submitted import is_selected
from autoscaler.webhook.validate_templates import TEMPLATE_PATHS, template_pod, without_label
from recommender.errors import Problem
from recommender.policy.resolve import resolve

_ANNOTATION = "annotation "
_OWN_FIELDS = ("metadata.", "spec.")
_NAMESPACE = "default"
KINDS = (PODS.kind, *TEMPLATE_PATHS)


def concerns_us(kind: str, obj: Mapping[str, Any]) -> bool:
    """Return whether anything of ours stands in the labels or annotations of a pod."""
    holders = (obj, _template(kind, obj))
    return any(
        str(key).startswith(PREFIX)
        for holder in holders
        for part in ("labels", "annotations")
        for key in _mapping(_mapping(holder.get("metadata")).get(part))
    )


def template_problems(kind: str, obj: Mapping[str, Any], snapshot: Snapshot) -> tuple[Problem, ...]:
    """Return what is wrong with a pod, or with the pods that an object would make."""
    path = TEMPLATE_PATHS.get(kind, ())
    at = "".join(f"{name}." for name in path)
    template = _template(kind, obj)
    problems = (*shape_problems(CustomObject, _metadata_alone(obj)), *_shape(template, at))
    if problems:
        return problems
    if not is_selected(template):
        texts = without_label(obj, template, f"{at}metadata.labels")
        place = f"{at}metadata.annotations"
        return tuple(Problem(place, text, is_warning=True) for text in texts)
    found = _admission(kind, obj, template, snapshot)
    return tuple(dict.fromkeys(_moved(problem, at) for problem in found))


def _metadata_alone(obj: Mapping[str, Any]) -> dict[str, Any]:
    return {"metadata": obj["metadata"]} if obj.get("metadata") is not None else {}


def _template(kind: str, obj: Mapping[str, Any]) -> Mapping[str, Any]:
    value: Any = obj
    for name in TEMPLATE_PATHS.get(kind, ()):
        value = _mapping(value).get(name)
    return _mapping(value)


def _shape(template: Mapping[str, Any], at: str) -> Iterator[Problem]:
    """Name what the API server itself would refuse, so that admission can be asked."""
    for problem in shape_problems(PodTemplate, template):
        is_text = problem.path.startswith(("metadata.annotations.", "metadata.labels."))
        hint = "; write it in quotes" if is_text else ""
        yield Problem(f"{at}{problem.path}", f"{problem.message}{hint}")


def _admission(
    kind: str, obj: Mapping[str, Any], template: Mapping[str, Any], snapshot: Snapshot
) -> tuple[Problem, ...]:
    namespace = str(_mapping(obj.get("metadata")).get("namespace") or _NAMESPACE)
    pod = template if kind == PODS.kind else template_pod(obj, kind, template, namespace)
    admission = admit(PodRequest(pod=pod, namespace=namespace), snapshot)
    if not admission.missing:
        return admission.problems
    annotations = _mapping(_mapping(template.get("metadata")).get("annotations"))
    own = resolve(annotations=annotations, profile={}).errors
    errors = {(problem.path, problem.message) for problem in own}
    return tuple(
        replace(problem, is_warning=(problem.path, problem.message) not in errors)
        for problem in admission.problems
    )


def _moved(problem: Problem, at: str) -> Problem:
    """Return a problem of a pod under its path in the document, whose pod stands at ``at``."""
    annotations = f"{at}metadata.annotations"
    key = problem.path.removeprefix(_ANNOTATION)
    if key.startswith(PREFIX):
        return replace(problem, path=f"{annotations}.{key}")
    if problem.path.startswith(_OWN_FIELDS):
        return replace(problem, path=f"{at}{problem.path}")
    # Said of what the annotations name: a profile, a pool, a quota.
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return replace(problem, path=annotations, message=text)


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
