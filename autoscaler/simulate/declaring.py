"""Simulated workloads as users declare them: annotations and profiles, through the real policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.errors import UsageError
from autoscaler.simulate.fleet import SimulatedWorkload
from recommender.policy.fields import ANNOTATION_PREFIX
from recommender.policy.resolve import resolve
from recommender.resources import TFLOPS, VRAM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.simulate.families import Load


def declared(
    name: str,
    load: Load,
    *,
    pool: str,
    gpu_model: str,
    annotations: Mapping[str, str],
    profile: Mapping[str, object] | None = None,
    profile_name: str = "",
    kind: str = "Deployment",
    is_shared_load: bool = True,
    startup_s: int = 90,
    opaque_share: float | None = None,
) -> SimulatedWorkload:
    """Return the workload ``namespace/name`` that these declarations make.

    ``annotations`` are keyed without the ``tensor-fusion.ai/`` prefix.  Raises ``UsageError`` for
    declarations with errors, and where TFLOPS or VRAM are not declared.
    """
    namespace, _, workload = name.partition("/")
    resolved = resolve(
        annotations={ANNOTATION_PREFIX + key: value for key, value in annotations.items()},
        profile=profile,
        profile_name=profile_name,
        is_job=kind == "Job",
    )
    stated = resolved.stated
    problems = [str(problem) for problem in resolved.errors]
    for side, values in (("request", stated.request), ("limit", stated.limit)):
        problems += [
            f"no {resource.name} {side} is declared"
            for resource in (TFLOPS, VRAM)
            if resource.name not in values
        ]
    if problems:
        raise UsageError(f"workload {name}: {'; '.join(problems)}")
    return SimulatedWorkload(
        namespace=namespace,
        workload=workload,
        pool=pool,
        gpu_model=gpu_model,
        policy=resolved.policy,
        load=load,
        request=(stated.request[TFLOPS.name], stated.request[VRAM.name]),
        limit=(stated.limit[TFLOPS.name], stated.limit[VRAM.name]),
        replicas=stated.replicas or 1,
        gpu_count=stated.gpu_count,
        qos=stated.qos,
        owner=f"{kind}/{workload}",
        is_shared_load=is_shared_load,
        startup_s=startup_s,
        opaque_share=opaque_share,
        stated_sources=stated.sources,
    )
