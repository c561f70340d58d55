"""Whether the parts of a pod template that are merged have the form that merging relies on.

No schema describes templates, in pools and in workloads alike.  What the parts mean is left to the
API server, which is asked to make the pod.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autoscaler.workloads.worker_pods.template_merge import PREFERRED, REQUIRED
from recommender.policy.values import shown

Shape = Mapping[str, Any] | list[Any]
"""A mapping whose named fields have their own shapes, or a list of one shape."""
_ANY: Mapping[str, Any] = {}
MOST_TERMS = 20
"""Of one required node affinity: merged with others, there are as many as their product."""
_TERMS = [{"matchExpressions": [_ANY], "matchFields": [_ANY]}]
_POD_AFFINITY = {REQUIRED: [_ANY], PREFERRED: [_ANY]}
NODE_AFFINITY = {REQUIRED: {"nodeSelectorTerms": _TERMS}, PREFERRED: [_ANY]}
TEMPLATE = {
    "metadata": {"labels": _ANY, "annotations": _ANY},
    "spec": {
        "affinity": {
            "nodeAffinity": NODE_AFFINITY,
            "podAffinity": _POD_AFFINITY,
            "podAntiAffinity": _POD_AFFINITY,
        },
        "containers": [{"env": [_ANY], "resources": {"limits": _ANY, "requests": _ANY}}],
        "imagePullSecrets": [_ANY],
        "nodeSelector": _ANY,
        "tolerations": [_ANY],
        "topologySpreadConstraints": [_ANY],
    },
}


def shape_problems(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Yield what has another form than ``shape``; null is as good as nothing."""
    if value is None:
        return
    if isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{path}: {shown(value)!r} is not valid; allowed: a list"
            return
        if shape is _TERMS and len(value) > MOST_TERMS:
            yield f"{path}: has {len(value)} terms; allowed: at most {MOST_TERMS}"
            return
        for i, each in enumerate(value):
            if each is None:
                yield f"{path}[{i}]: null is not valid; allowed: a mapping"
            yield from shape_problems(each, shape[0], f"{path}[{i}]")
    elif isinstance(value, Mapping):
        for field, part in shape.items():
            yield from shape_problems(value.get(field), part, f"{path}.{field}")
    else:
        yield f"{path}: {shown(value)!r} is not valid; allowed: a mapping"
