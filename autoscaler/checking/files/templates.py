"""Pods and objects with pod templates, by the words of admission.

What the annotations themselves get wrong is an error.  Where admission looks for objects that no
file has, it could still admit the pod in the cluster, so that all else it says is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autoscaler.api.names import PREFIX
from autoscaler.api.shape import CustomObject, shape_problems
from autoscaler.checking.files.pod_shape import PodTemplate
from autoscaler.checking.files.problem import problem_of
from autoscaler.kube.resource import PODS
from autoscaler.webhook.admission import PodRequest
from autoscaler.webhook.admit import admit
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.submitted import is_selected
from autoscaler.webhook.validate_templates import TEMPLATE_PATHS, template_pod, without_label
from recommender.errors import Problem
from recommender.policy.resolve import resolve

_ANNOTATION = "annotation "
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
    annotations = f"{at}metadata.annotations"
    if not is_selected(template):
        texts = without_label(obj, template, f"{at}metadata.labels")
        return tuple(Problem(annotations, text, is_warning=True) for text in texts)
    found = _admission(kind, obj, template, snapshot)
    return tuple(dict.fromkeys(_moved(problem, annotations) for problem in found))


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
) -> Iterator[Problem]:
    namespace = str(_mapping(obj.get("metadata")).get("namespace") or _NAMESPACE)
    pod = template if kind == PODS.kind else template_pod(obj, kind, template, namespace)
    admission = admit(PodRequest(pod=pod, namespace=namespace), snapshot)
    reasons = admission.reasons or tuple(filter(None, [admission.error]))
    if admission.missing:
        annotations = _mapping(_mapping(template.get("metadata")).get("annotations"))
        own = resolve(annotations=annotations, profile={}).errors
        errors = {f"{problem.path}: {problem.message}" for problem in own}
    else:
        errors = set(reasons)
    for reason in reasons:
        yield problem_of(reason, is_warning=reason not in errors)
    for warning in admission.warnings:
        yield problem_of(warning, is_warning=True)


def _moved(problem: Problem, at: str) -> Problem:
    """Return a problem of an annotation under the path of that annotation in the document."""
    if problem.path.startswith(_ANNOTATION):
        key = problem.path.removeprefix(_ANNOTATION)
        return Problem(f"{at}.{key}", problem.message, problem.is_warning)
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return Problem(at, text, problem.is_warning)


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
