"""The settings and stated values of workloads, read once for all that are alike.

Equal settings are one ``Policy`` object, so that the loop makes the table of policies anew only
when some setting changed, and a fleet with few kinds of settings costs little memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from autoscaler.kube.store import Object
from recommender.errors import Problem
from recommender.policy.model import Policy
from recommender.policy.resolve import resolve
from recommender.policy.stated import Stated

_OF_POLICY = ("autoScalingConfig", "qos", "gpuModel")
"""Of ``spec``: what a policy depends on."""
_OF_STATED = ("resources", "qos", "gpuModel", "gpuCount", "poolName", "replicas", "isLocalGPU")
_KNOWN = 16_384
"""Settings that are kept, more than a fleet has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a workload's ``spec`` says."""

    policy: Policy
    stated: Stated
    problem: str
    """What of it cannot be used; empty: all can."""


def settings_of(workload: Object, *, is_job: bool) -> Settings:
    """Return the settings of a workload; nothing is raised for what its user wrote."""
    spec: Mapping[str, Any] = workload.get("spec") or {}
    policy, of_policy = _policy(_text(spec, _OF_POLICY), is_job=is_job)
    stated, of_stated = _stated(_text(spec, _OF_STATED))
    problem = "; ".join(filter(None, (of_policy, of_stated)))
    return Settings(policy=policy, stated=stated, problem=problem)


@lru_cache(maxsize=_KNOWN)
def _policy(text: bytes, *, is_job: bool) -> tuple[Policy, str]:
    policy = resolve(workload=orjson.loads(text), is_job=is_job).policy
    return policy, _errors(policy.problems)


@lru_cache(maxsize=_KNOWN)
def _stated(text: bytes) -> tuple[Stated, str]:
    resolved = resolve(workload=orjson.loads(text))
    return resolved.stated, _errors(resolved.problems)


def _text(spec: Mapping[str, Any], keys: tuple[str, ...]) -> bytes:
    found = {key: spec[key] for key in keys if spec.get(key) is not None}
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


def _errors(problems: tuple[Problem, ...]) -> str:
    return "; ".join(str(problem) for problem in problems if not problem.is_warning)
