"""What each worker of a workload is to have, by the workload's settings and its decision.

What of it GPUs and quotas have room for is ``adjust_plan``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType

import orjson

from autoscaler.api.ceilings import Ceiling, read_ceilings
from autoscaler.api.control import Control
from autoscaler.api.in_force import amounts_at_start, amounts_while_running
from autoscaler.api.names import DECLARED, GPU_MODEL, IN_FORCE
from autoscaler.api.notes import NotedProblems
from autoscaler.kube.store import Object
from recommender.policy.annotations import read_annotation_statements
from recommender.policy.fields import DECLARED_PREFIX
from recommender.policy.model import LimitRule, Mode, Policy, RequestRule
from recommender.policy.resolve import resolve
from recommender.policy.stated import Stated, combined

_OF_POLICY = ("autoScalingConfig", "qos", "gpuModel")
_KNOWN = 1024
"""Policies that are kept, as most workloads of a cluster have one of a few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one worker has and is to have: quantities by key of a statement."""

    current: Mapping[str, str]
    wanted: Mapping[str, str]
    ceilings: Mapping[str, Ceiling]
    """The most that quotas allow a running worker, by key; of a gated one they are in ``wanted``
    already."""
    errors: tuple[str, ...]
    """What of the worker cannot be read."""
    quota_errors: tuple[str, ...]
    """What of the quotas cannot be read."""
    warnings: tuple[str, ...]
    """What of the decision is left out."""


class WantedAmounts:
    """The wishes for the workers of one workload, as it is now."""

    def __init__(self, workload: Object, control: Control, quotas: Sequence[Object]) -> None:
        self._workload = workload
        self._control = control
        self._quotas = quotas
        self._known: dict[tuple[object, ...], Wanted] = {}

    @cached_property
    def _policy(self) -> Policy:
        spec = self._workload.get("spec") or {}
        return _policy_of(orjson.dumps([spec.get(name) for name in _OF_POLICY]))

    @property
    def modes(self) -> frozenset[Mode]:
        """Return the modes of the layers that are enrolled."""
        rules: tuple[RequestRule | LimitRule, ...]
        rules = (*self._policy.requests.values(), *self._policy.limits.values())
        return frozenset(rule.mode for rule in rules if rule.is_enrolled)

    def of_running(self, annotations: Mapping[str, str], gpu_model: str) -> Wanted:
        """Return what a worker on GPUs of a model is to have; workers that are alike share it."""
        key = ("running", gpu_model, *map(annotations.get, IN_FORCE))
        if key not in self._known:
            self._known[key] = self._of_running(annotations, gpu_model)
        return self._known[key]

    def of_gated(self, annotations: Mapping[str, str]) -> Wanted:
        """Return what a worker is to start with that waits for its GPUs."""
        read = (*IN_FORCE, *DECLARED, GPU_MODEL)
        key = ("gated", *map(annotations.get, read))
        if key not in self._known:
            self._known[key] = self._of_gated(annotations)
        return self._known[key]

    def _of_running(self, annotations: Mapping[str, str], gpu_model: str) -> Wanted:
        notes = NotedProblems()
        current = _in_force(annotations, notes)
        # A ceiling bounds what is granted, as a quota that was lowered takes nothing away.
        wanted = amounts_while_running(current, self._policy, self._workload, {}, notes, gpu_model)
        stated = _stated({**_amounts_alone(annotations, IN_FORCE), GPU_MODEL: gpu_model})
        ceilings, quota_errors = self._ceilings(stated)
        return _wanted(current, wanted, notes, ceilings=ceilings, quota_errors=quota_errors)

    def _of_gated(self, annotations: Mapping[str, str]) -> Wanted:
        notes = NotedProblems()
        # What cannot be read of it is written anew.
        current = _in_force(annotations, NotedProblems())
        is_declared = any(key in annotations for key in DECLARED)
        amounts = _amounts_alone(annotations, DECLARED if is_declared else IN_FORCE)
        model = annotations.get(GPU_MODEL, "")
        prefix = DECLARED_PREFIX if is_declared else ""
        stated = _stated({**amounts, GPU_MODEL: model}, prefix)
        ceilings, quota_errors = self._ceilings(stated)
        wanted = amounts_at_start(
            stated, self._policy, self._workload, self._control, ceilings, notes
        )
        return _wanted(current, wanted, notes, quota_errors=quota_errors)

    def _ceilings(self, stated: Stated) -> tuple[Mapping[str, Ceiling], Sequence[str]]:
        notes = NotedProblems()
        return read_ceilings(self._quotas, stated, notes).amounts, notes.errors


@lru_cache(maxsize=_KNOWN)
def _policy_of(stated: bytes) -> Policy:
    """Return the policy of the parts of a spec that it depends on, as JSON."""
    spec = zip(_OF_POLICY, orjson.loads(stated), strict=True)
    return resolve(workload={name: value for name, value in spec if value is not None}).policy


def _in_force(annotations: Mapping[str, str], notes: NotedProblems) -> dict[str, str]:
    layer = read_annotation_statements(_amounts_alone(annotations, IN_FORCE))
    notes.refuse(*(str(problem) for problem in layer.problems if not problem.is_warning))
    return {key: said.quantity for key, said in layer.said.items()}


def _amounts_alone(annotations: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: annotations[name] for name in names if name in annotations}


def _stated(annotations: Mapping[str, str], prefix: str = "") -> Stated:
    return combined(read_annotation_statements(annotations, prefix))[0]


def _wanted(
    current: Mapping[str, str],
    wanted: Mapping[str, str],
    notes: NotedProblems,
    *,
    ceilings: Mapping[str, Ceiling] = MappingProxyType({}),
    quota_errors: Sequence[str],
) -> Wanted:
    return Wanted(
        current=current,
        wanted=wanted,
        ceilings=ceilings,
        errors=tuple(notes.errors),
        quota_errors=tuple(quota_errors),
        warnings=tuple(notes.warnings),
    )
