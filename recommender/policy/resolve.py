"""Everything that is said about one workload, in order of precedence, to its policy.

Workloads file > annotation > existing workload > profile > namespace quota defaults > pool rule >
built-in default, value by value; the effective value and where it came from are kept together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from recommender.errors import Problem
from recommender.policy.annotations import (
    implied_settings,
    named_profile,
    read_annotation_settings,
    read_annotation_statements,
)
from recommender.policy.fields import OTHER_PROFILE_KEYS, STATEMENTS, suggestion
from recommender.policy.model import Policy
from recommender.policy.parse import policy_from
from recommender.policy.settings import Settings, merged, read_settings
from recommender.policy.stated import Said, Stated, StatedLayer, combined, read_layer
from recommender.policy.values import is_unset, shown

POOL, PROFILE, WORKLOAD, ANNOTATION, OVERRIDE = 1, 2, 3, 4, 5
"""Ranks of the layers."""
_CONFIG = "autoScalingConfig"
_OVERRIDES = "workloads file"
_QUOTA = "quota defaults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What one workload's owner decided and declared."""

    policy: Policy
    settings: Settings
    """Of all layers together, from which the policy was made."""
    stated: Stated
    problems: tuple[Problem, ...]
    """Of all layers, those of the policy included."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that are no mere warnings."""
        return tuple(problem for problem in self.problems if not problem.is_warning)


def resolve(
    *,
    annotations: Mapping[str, object] | None = None,
    amounts_prefix: str = "",
    workload: Mapping[str, object] | None = None,
    workload_name: str = "",
    profile: Mapping[str, object] | None = None,
    profile_name: str = "",
    pool_rule: Mapping[str, object] | None = None,
    pool_rule_name: str = "",
    overrides: Mapping[str, object] | None = None,
    quota_defaults: Mapping[str, object] | None = None,
    quota_name: str = "",
    is_job: bool = False,
) -> Resolved:
    """Resolve one workload.  Nothing is raised for user input.

    ``annotations`` are the pod template's, with their full keys; those of amounts begin with
    ``amounts_prefix`` (``DECLARED_PREFIX`` in admitted pods).  ``workload`` is the ``spec`` of an
    existing TensorFusionWorkload that is used as it is, ``profile`` that of the WorkloadProfile
    called ``profile_name``; ``pool_rule`` is one entry of a pool's ``rules`` (its
    ``autoScalingConfig`` counts).  ``overrides`` is a row of the workloads file by column name.
    ``quota_defaults`` is ``spec.single`` of the namespace's GPUResourceQuota ``quota_name``.
    """
    annotations = annotations or {}
    workload_source = f"workload {workload_name}" if workload_name else "workload"
    profile_source = f"profile {profile_name}" if profile_name else "profile"
    pool_source = f"pool rule {pool_rule_name}" if pool_rule_name else "pool rule"

    settings = merged(
        implied_settings(annotations),
        _config(pool_rule, pool_source, POOL),
        _config(profile, profile_source, PROFILE, prefix="spec."),
        _config(workload, workload_source, WORKLOAD, prefix="spec."),
        read_annotation_settings(annotations, ANNOTATION),
        _config(overrides, _OVERRIDES, OVERRIDE),
    )
    stated, stated_problems = combined(
        _spec_statements(profile, profile_source),
        _spec_statements(workload, workload_source),
        read_annotation_statements(annotations, amounts_prefix),
        _row_statements(overrides),
        quota=_quota_statements(quota_defaults, quota_name),
        profile=profile_name or named_profile(annotations) or "",
    )
    policy = policy_from(settings, qos=stated.qos, gpu_model=stated.gpu_model, is_job=is_job)
    problems = (*_missing_profile(annotations, profile, profile_name), *stated_problems)
    return Resolved(
        policy=policy,
        settings=settings,
        stated=stated,
        problems=(*problems, *policy.problems),
    )


def _config(
    holder: Mapping[str, object] | None, source: str, rank: int, prefix: str = ""
) -> Settings:
    config = holder.get(_CONFIG) if isinstance(holder, Mapping) else None
    return read_settings(config, path=f"{source} {prefix}{_CONFIG}", source=source, rank=rank)


def _missing_profile(
    annotations: Mapping[str, object], profile: Mapping[str, object] | None, profile_name: str
) -> tuple[Problem, ...]:
    name = profile_name or named_profile(annotations)
    if profile is not None or not name:
        return ()
    return (Problem(f"profile {name}", "no WorkloadProfile of this name is known"),)


def _spec_statements(spec: Mapping[str, object] | None, source: str) -> StatedLayer:
    """Return what a profile or a workload states; both have the same ``spec``."""
    if spec is None:
        return StatedLayer(said=MappingProxyType({}))
    path = f"{source} spec"
    if not isinstance(spec, Mapping):
        problem = Problem(path, f"{shown(spec)!r} is not valid; allowed: a mapping")
        return StatedLayer(said=MappingProxyType({}), problems=(problem,))
    problems = list(_unknown_keys(spec, path))
    said = {}
    for statement in STATEMENTS:
        value = _dig(spec, statement.profile)
        if not is_unset(value):
            said[statement.key] = Said(
                value=value, source=source, path=f"{path}.{statement.profile}"
            )
    layer = read_layer(said)
    return StatedLayer(said=layer.said, problems=(*problems, *layer.problems))


def _unknown_keys(profile: Mapping[str, object], path: str) -> list[Problem]:
    """Name keys of a ``spec`` that do not exist, and parts of ``resources`` that are no mapping."""
    known = [s.profile for s in STATEMENTS if "." not in s.profile] + list(OTHER_PROFILE_KEYS)
    problems = [_unknown(path, key, known) for key in profile if key not in known]
    resources = profile.get("resources")
    if is_unset(resources):
        return problems
    if not isinstance(resources, Mapping):
        text = f"{shown(resources)!r} is not valid; allowed: a mapping of requests and limits"
        return [*problems, Problem(f"{path}.resources", text)]
    sides = ["requests", "limits"]
    problems += [_unknown(f"{path}.resources", key, sides) for key in resources if key not in sides]
    names = ["tflops", "vram", "compute"]
    for side in sides:
        amounts = resources.get(side)
        if isinstance(amounts, Mapping):
            at = f"{path}.resources.{side}"
            problems += [_unknown(at, key, names) for key in amounts if key not in names]
        elif not is_unset(amounts):
            text = f"{shown(amounts)!r} is not valid; allowed: a mapping of tflops, vram, compute"
            problems.append(Problem(f"{path}.resources.{side}", text))
    return problems


def _unknown(path: str, key: object, known: list[str]) -> Problem:
    meant = suggestion(str(shown(key)), known)
    hint = f"did you mean {meant}?" if meant else f"known: {', '.join(sorted(known))}"
    return Problem(f"{path}.{shown(key)}", f"unknown setting; {hint}")


def _row_statements(row: Mapping[str, object] | None) -> StatedLayer:
    said = {
        statement.key: Said(
            value=row[statement.column], source=_OVERRIDES, path=f"{_OVERRIDES} {statement.column}"
        )
        for statement in STATEMENTS
        if row is not None and statement.column and statement.column in row
    }
    return read_layer(said)


def _quota_statements(quota: Mapping[str, object] | None, name: str) -> StatedLayer | None:
    if quota is None:
        return None
    source = f"GPUResourceQuota {name}" if name else _QUOTA
    prefix = f"{source} spec.single." if name else f"{source} "
    said = {}
    for statement in STATEMENTS:
        if not statement.resource:
            continue
        side = "defaultRequests" if statement.key.endswith("-request") else "defaultLimits"
        path = f"{side}.{statement.profile.rpartition('.')[2]}"
        said[statement.key] = Said(value=_dig(quota, path), source=source, path=f"{prefix}{path}")
    return read_layer(said)


def _dig(mapping: Mapping[str, object], path: str) -> object:
    """Return the value at a dotted path; None where it or anything above it is missing."""
    value: object = mapping
    for name in path.split(".") if path else ():
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if path else None
