"""The amounts and properties that a pod ends up with, read by the recommender's policy.

The recommender is the only home of what a field means.  Its errors refuse the pod, but for those
of a pool's rule: they are not the user's to mend, and the rule then does less, never more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from autoscaler.api.names import DECLARED, IN_FORCE, PREFIX, WORKLOAD_PROFILE
from autoscaler.api.pool_rules import rule_for
from autoscaler.webhook.admission import Object
from autoscaler.webhook.containers import native_gpus
from autoscaler.webhook.layers import Layers
from autoscaler.webhook.pools import Pool
from autoscaler.webhook.submitted import Submitted
from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem
from recommender.policy.fields import (
    AMOUNTS,
    BLOCK_ANNOTATIONS,
    DECLARED_PREFIX,
    PROPERTIES,
    TARGET_ANNOTATIONS,
)
from recommender.policy.resolve import Resolved, resolve
from recommender.policy.stated import Stated

NATIVE_SOURCE = "native GPU resources"
_RULE = "pool rule"
_WHOLE = "compute-percent-request"
_OTHERS = frozenset(
    f"{PREFIX}{key}"
    for key in (
        *(key for statement in PROPERTIES for key in statement.annotations),
        *BLOCK_ANNOTATIONS,
        *TARGET_ANNOTATIONS,
    )
)
_DECLARED_PATHS = frozenset(f"annotation {key}" for key in DECLARED)
_AMOUNT = {statement.key: statement for statement in AMOUNTS}
_UNUSED_FIELDS = ("gangScheduling", "partitionTemplateId", "sidecarWorker")


def resolve_statements(
    submitted: Submitted,
    layers: Layers,
    pool: Pool | None,
    quotas: Sequence[Object],
    verdict: Verdict,
) -> Resolved:
    """Return what all layers state together.

    Where any ``declared-*`` is present, those keys are the input and not the plain ones, which an
    earlier admission or the controller wrote.
    """
    is_declared = is_declared_input(submitted.annotations)
    keys = _OTHERS.union(DECLARED if is_declared else IN_FORCE)
    rule = rule_for(pool.spec, submitted.labels) if pool is not None else None
    resolved = resolve(
        annotations={k: v for k, v in submitted.annotations.items() if k in keys},
        amounts_prefix=DECLARED_PREFIX if is_declared else "",
        workload=layers.workload,
        workload_name=layers.workload_name,
        profile=layers.profile,
        profile_name=layers.profile_name,
        pool_rule=rule,
        pool_rule_name=f"{pool.name}/{rule.get('name')}" if pool and rule else "",
        quota_defaults=_single(quotas[0]) if quotas else None,
        quota_name=str((quotas[0].get("metadata") or {}).get("name")) if quotas else "",
    )
    for problem in resolved.problems:
        if problem.is_warning and problem.path in _DECLARED_PATHS:
            continue  # said when the value was declared, by the user's own key
        if problem.is_warning or problem.path.startswith(_RULE):
            verdict.warn(problem)
        else:
            verdict.refuse(Problem(problem.path, problem.message))
    warn_of_unused(layers.workload, f"workload {layers.workload_name} spec", verdict)
    warn_of_unused(layers.profile, f"profile {layers.profile_name} spec", verdict)
    return resolved


def is_declared_input(annotations: Mapping[str, str]) -> bool:
    """Return whether a pod brings declared values, so that they are the input."""
    return any(key in annotations for key in DECLARED)


def with_whole_gpus(stated: Stated, pod: Object, verdict: Verdict) -> Stated:
    """Return what is stated, and whole GPUs where the pod asks a device plugin for them alone.

    A pod that states no amount in any way is refused.
    """
    if stated.quantities:
        return stated
    if native_gpus(pod):
        return replace(
            stated,
            request=MappingProxyType({_AMOUNT[_WHOLE].resource: 100.0}),
            sources=MappingProxyType({**stated.sources, _WHOLE: NATIVE_SOURCE}),
            quantities=MappingProxyType({_WHOLE: "100"}),
        )
    if not verdict.errors:
        verdict.refuse(
            f"no amount of GPU is stated; write annotations such as {PREFIX}tflops-request: '10' "
            f"and {PREFIX}vram-request: 4Gi, or name a profile that has resources by "
            f"{WORKLOAD_PROFILE}"
        )
    return stated


def _single(quota: Object) -> Mapping[str, Any]:
    return (quota.get("spec") or {}).get("single") or {}


def warn_of_unused(spec: Mapping[str, Any] | None, path: str, verdict: Verdict) -> None:
    """Warn of fields of a workload's or a profile's ``spec`` that are kept and not acted on."""
    for field in _UNUSED_FIELDS:
        if (spec or {}).get(field):
            verdict.warn(Problem(f"{path}.{field}", "it is not acted on"))
