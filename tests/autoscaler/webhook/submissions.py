"""Hypothesis strategies: pods as tenants send them, sensible or wild, and clusters they meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from autoscaler.api.names import (
    DECLARED,
    ENABLED,
    IN_FORCE,
    PREFIX,
    SOURCES,
    SYSTEM_ANNOTATIONS,
    SYSTEM_LABELS,
)
from tests.autoscaler.webhook.pods import container
from tests.strategies import quantities

_SENSIBLE = {
    "qos": ("low", "medium", "high"),
    "gpu-count": ("1", "2"),
    "gpu-indices": ("0", "0, 2"),
    "gpu-model": ("A100", "NVIDIA L4"),
    "isolation": ("shared", "soft"),
    "is-local-gpu": ("true",),
    "no-standalone-worker-mode": ("true", "false"),
    "generate-workload": ("true", "false"),
    "workload": ("job", "other"),
    "workload-profile": ("small",),
    "gpupool": ("default-pool", "remote"),
    "auto-requests": ("true", "false"),
    "auto-limits": ("true",),
    "vendor": ("NVIDIA",),
    "replicas": ("1",),
    "bogus": ("1",),
}
_WILD = {
    "qos": ("critical", "superb"),
    "gpu-count": ("0", "129", "two"),
    "gpu-indices": ("0,0", "x", "1,"),
    "gpu-model": ("H10O", "\u202e"),
    "isolation": ("hard",),
    "is-local-gpu": ("false", "maybe"),
    "no-standalone-worker-mode": ("no",),
    "standalone-worker-mode": ("true", "false"),
    "workload": ("W", "w" * 64),
    "workload-profile": ("ns/small", "absent", "../x"),
    "client-profile": ("small",),
    "gpupool": ("absent",),
    "inject-container": ("main", "main,second", "absent"),
    "auto-limits": ("yes",),
    "autoscale": ("true",),
    "vendor": ("\n",),
    "worker-pod-template": ("spec: {nodeSelector: {a: b}}", "spec: {hostPID: true}", "[", "1"),
    "replicas": ("-1",),
}
_ANYTHING = st.one_of(
    st.sampled_from(("-1", "ten", "", " ", "4GB", "5%", "1" * 90, "null", "true", "4Gi", "0")),
    quantities(),
    st.text(max_size=5),
)
_SYSTEM = (*SYSTEM_ANNOTATIONS, SOURCES)
_CONTAINERS: tuple[list[dict[str, Any]], ...] = (
    [container()],
    [container(gpus="2", env=[{"name": "LD_PRELOAD", "value": "a.so"}])],
    [container("main", gpus=1, resources=None), container("second", env=None)],
    [container("main"), container("second", gpus="1", volumeMounts=None)],
)
_REFERENCES: tuple[Any, ...] = (
    None,
    [],
    [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "controller": True}],
    [{"apiVersion": "batch/v1", "kind": "Job", "name": "../x", "controller": True}],
    [{"kind": "DaemonSet"}],
)


def _properties(of: dict[str, tuple[str, ...]]) -> st.SearchStrategy[dict[str, str]]:
    def chosen(keys: list[str]) -> st.SearchStrategy[dict[str, str]]:
        return st.fixed_dictionaries({f"{PREFIX}{key}": st.sampled_from(of[key]) for key in keys})

    return st.lists(st.sampled_from(sorted(of)), max_size=5, unique=True).flatmap(chosen)


def _pairs(values: tuple[str, ...], keys: tuple[str, str]) -> st.SearchStrategy[dict[str, str]]:
    """Draw a request and a limit that fit each other, of ascending values; one may be missing."""
    places = st.lists(st.integers(0, len(values) - 1), min_size=2, max_size=2).map(sorted)
    pair = places.map(lambda at: dict(zip(keys, (values[at[0]], values[at[1]]), strict=True)))
    return st.one_of(pair, pair, *(pair.map(lambda p, k=k: {k: p[k]}) for k in keys))


@st.composite
def amounts(draw: st.DrawFn) -> dict[str, str]:
    """Draw amounts that fit each other, under plain keys, or declared ones beside anything."""
    is_declared = draw(st.booleans())
    keys = DECLARED if is_declared else IN_FORCE
    compute = draw(st.sampled_from((0, 0, 2)))
    ascending = ("500m", "1", "5", "10", "2e1", "50")
    said = draw(_pairs(ascending, (keys[compute], keys[compute + 1])))
    said |= draw(st.just({}) | _pairs(("1Gi", "2048Mi", "4Gi", "16Gi"), (keys[4], keys[5])))
    if is_declared:
        said |= draw(st.dictionaries(st.sampled_from(IN_FORCE), _ANYTHING, max_size=2))
    return said


def _pod(draw: st.DrawFn, annotations: dict[str, str]) -> dict[str, Any]:
    labels = {ENABLED: "true", "app": draw(st.sampled_from(("web", "batch")))}
    labels |= draw(st.dictionaries(st.sampled_from(SYSTEM_LABELS), st.just("x"), max_size=2))
    metadata: dict[str, Any] = {"labels": labels, "annotations": annotations}
    metadata |= draw(st.sampled_from(({"name": "job"}, {"generateName": "job-"})))
    metadata["ownerReferences"] = draw(st.sampled_from(_REFERENCES))
    containers = draw(st.sampled_from(_CONTAINERS))
    fields = draw(st.sampled_from(({}, {"volumes": None, "initContainers": None})))
    return {"metadata": metadata, "spec": {"containers": containers, **fields}}


@st.composite
def sensible_pods(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a selected pod that is mostly admitted; keys of the system among its annotations."""
    system = st.dictionaries(st.sampled_from(_SYSTEM), st.sampled_from(("x", "{}", "GPU-1")))
    annotations = {**draw(amounts()), **draw(_properties(_SENSIBLE))}
    obj = _pod(draw, {**annotations, **draw(st.just({}) | system)})
    if len(obj["spec"]["containers"]) > 1:
        names = st.sampled_from(("main", "second", "second, main"))
        obj["metadata"]["annotations"][f"{PREFIX}inject-container"] = draw(names)
    return obj


@st.composite
def wild_pods(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a selected pod with anything in any key, and with fields null or left out."""
    loose = st.dictionaries(st.sampled_from((*IN_FORCE, *DECLARED, *_SYSTEM)), _ANYTHING)
    obj = _pod(draw, {**draw(loose), **draw(_properties(_SENSIBLE)), **draw(_properties(_WILD))})
    metadata = obj["metadata"]
    match draw(st.sampled_from(("whole", "whole", "annotations", "name", "spec", "containers"))):
        case "annotations":
            metadata["annotations"] = None
        case "name":
            metadata = {k: v for k, v in metadata.items() if k not in {"name", "generateName"}}
            return {**obj, "metadata": metadata}
        case "spec":
            return {**obj, "spec": draw(st.sampled_from((None, {}, {"nodeName": "n"})))}
        case "containers":
            return {**obj, "spec": {"containers": draw(st.sampled_from((None, [])))}}
    return obj
