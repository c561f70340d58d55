"""Checks of our own kinds beyond their schema: what a value means, and how objects fit together.

What fields of a workload mean is read by the recommender, as for pods.  An update that leaves
``spec`` as it is, is never refused, so that an object that was valid once can still be labelled,
released and deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from autoscaler.api.naming import LONGEST
from autoscaler.api.object_names import name_problem
from autoscaler.api.worker_template import check_template
from autoscaler.kube.resource import POOLS, QUOTAS, WORKLOAD_PROFILES, WORKLOADS
from autoscaler.webhook.admission import Admission, Object
from autoscaler.webhook.problems import take_problems
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.statements import warn_of_unused
from autoscaler.webhook.validate_pool import check_pool, warn_of_default_pool
from autoscaler.webhook.validate_quota import check_quota
from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem
from recommender.policy.resolve import resolve
from recommender.policy.values import is_unset

Check = Callable[[Object, Snapshot, Verdict], None]


def validate_objects(kind: str, new: Object, old: Object | None, snapshot: Snapshot) -> Admission:
    """Return warnings of an object that is created or updated, or why it is refused.

    ``old`` is None where it is created.  Kinds without checks pass.
    """
    verdict = Verdict()
    if kind == POOLS.kind:
        warn_of_default_pool(new, snapshot, verdict)
    check = _CHECKS.get(kind)
    if check is not None and (old is None or old.get("spec") != new.get("spec")):
        check(new, snapshot, verdict)
    return verdict.refusal() if verdict.errors else verdict.admitted()


def _check_profile(profile: Object, snapshot: Snapshot, verdict: Verdict) -> None:
    spec = _spec(profile)
    take_problems(resolve(profile=spec).problems, "profile spec", "spec", verdict)
    _check_spec(spec, snapshot, verdict)


def _check_workload(workload: Object, snapshot: Snapshot, verdict: Verdict) -> None:
    spec = _spec(workload)
    name = str((workload.get("metadata") or {}).get("name") or "")
    problem = name_problem(name, "metadata.name", longest=LONGEST) if name else None
    verdict.refuse(*([problem] if problem else []))
    take_problems(resolve(workload=spec).problems, "workload spec", "spec", verdict)
    _check_spec(spec, snapshot, verdict)


def _check_spec(spec: Mapping[str, Any], snapshot: Snapshot, verdict: Verdict) -> None:
    """Check what profiles and workloads have in common and the recommender does not read."""
    warn_of_unused(spec, "spec", verdict)
    template = spec.get("workerPodTemplate")
    if template is not None:
        verdict.refuse(*check_template(template, "spec.workerPodTemplate"))
    pool = spec.get("poolName")
    if is_unset(pool):
        return
    problem = name_problem(str(pool), "spec.poolName", longest=LONGEST)
    if problem:
        verdict.refuse(problem)
        return
    names = [str((each.get("metadata") or {}).get("name")) for each in snapshot.pools()]
    if pool not in names:
        known = ", ".join(names) or "there is none"
        verdict.warn(
            Problem("spec.poolName", f"there is no GPUPool {pool!r} now; known pools: {known}")
        )


def _check_quota(quota: Object, snapshot: Snapshot, verdict: Verdict) -> None:
    namespace = str((quota.get("metadata") or {}).get("namespace") or "")
    check_quota(quota, snapshot.quotas(namespace) if namespace else (), verdict)


def _check_pool(pool: Object, _: Snapshot, verdict: Verdict) -> None:
    check_pool(pool, verdict)


def _spec(obj: Object) -> Mapping[str, Any]:
    return obj.get("spec") or {}


_CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        WORKLOAD_PROFILES.kind: _check_profile,
        WORKLOADS.kind: _check_workload,
        QUOTAS.kind: _check_quota,
        POOLS.kind: _check_pool,
    }
)
