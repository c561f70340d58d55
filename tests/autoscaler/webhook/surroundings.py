"""Hypothesis strategies: clusters that a pod may meet, with decisions and quotas of all kinds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from autoscaler.api.control import Control
from autoscaler.webhook.snapshot import Installation
from tests.autoscaler.webhook.clusters import (
    APPLY,
    LIMITER_IMAGE,
    MemorySnapshot,
    pool,
    pool_with_workers,
    priority_class,
    profile,
    quota,
    workload,
)

ENROLLED = {"autoSetRequests": {"enable": True}, "autoSetLimits": {"enable": True}}
_WEB = {"name": "web", "podSelector": {"matchLabels": {"app": "web"}}}
_SPECS: tuple[dict[str, Any], ...] = (
    {},
    {"autoScalingConfig": ENROLLED},
    {"autoScalingConfig": ENROLLED, "resources": {"requests": {"vram": "1Gi"}}},
    {"resources": {"requests": {"tflops": 0.5, "vram": "1Gi"}}, "qos": "low"},
    {"gpuIndices": [0, 3], "isolation": "shared", "isLocalGPU": True},
    {"gpuCount": 2, "gpuModel": "A100", "vendor": "NVIDIA", "noStandaloneWorkerMode": True},
)


def _side() -> st.SearchStrategy[dict[str, str]]:
    compute = st.builds(
        lambda unit, text: {unit: text},
        st.sampled_from(("tflops", "compute")),
        st.sampled_from(("2500m", "30", "90")),
    )
    vram = st.builds(lambda text: {"vram": text}, st.sampled_from(("512Mi", "8Gi", "64Gi", "0")))
    return st.builds(lambda *parts: {k: v for p in parts for k, v in p.items()}, compute, vram)


def desired() -> st.SearchStrategy[Any]:
    """``desiredResources``, now and then damaged."""
    part = st.fixed_dictionaries({}, optional={"requests": _side(), "limits": _side()})
    whole = st.builds(
        lambda now, later, model: {**now, "nextStart": later, "byGPUModel": {"A100": model}},
        part,
        part | st.none(),
        part | st.none(),
    )
    damaged = st.sampled_from(([], "x", {"requests": {"vram": "-1"}}, {"byGPUModel": {"A100": 1}}))
    return st.one_of(st.none(), part, whole, whole, damaged)


def _singles() -> st.SearchStrategy[dict[str, Any]]:
    most = st.fixed_dictionaries(
        {},
        optional={
            "tflops": st.sampled_from(("8", 25, "100", "0")),
            "vram": st.sampled_from(("3Gi", "32Gi")),
        },
    )
    small = {"tflops": "1", "vram": "1Gi"}
    return st.fixed_dictionaries(
        {},
        optional={
            "maxRequests": most,
            "maxLimits": most,
            "maxGPUCount": st.sampled_from((1, 4)),
            "defaultRequests": st.just(small),
            "defaultLimits": st.just({"tflops": "60", "vram": "20Gi"}),
        },
    )


@st.composite
def clusters(draw: st.DrawFn) -> MemorySnapshot:
    """Draw a cluster with a pool of each kind, a profile, workloads and up to two quotas."""
    specs = st.sampled_from(_SPECS)
    singles = draw(st.just([]) | st.lists(_singles(), max_size=2))
    is_apply = draw(st.sampled_from((True, True, False)))
    return MemorySnapshot(
        objects=(
            pool(rules=[{**_WEB, "autoScalingConfig": ENROLLED}]),
            pool_with_workers("remote", is_default=False),
            profile(**draw(specs)),
            workload("job", draw(desired()), **draw(specs)),
            workload("web-1-replicaset", draw(desired()), **draw(specs)),
            *(quota(f"q{i}", **single) for i, single in enumerate(singles)),
            *((priority_class("tensor-fusion-high"),) if draw(st.booleans()) else ()),
        ),
        control=APPLY if is_apply else Control(),
        installation=Installation(
            limiter_image=LIMITER_IMAGE,
            connection_endpoint=draw(st.sampled_from(("", "http://controller:8080"))),
            has_standalone_workers=draw(st.booleans()),
        ),
    )
