"""The ``spec`` of a workload, as the newest pod of its first owner says.  Pure.

Amounts come from what the pod declares, never from what is in force; settings of the layers from
annotations, profile and rule of the pool as they are now.  ``replicas`` is ``replicas``' own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.api.names import (
    DECLARED,
    GPU_INDICES,
    ISOLATION,
    MODE,
    POOL_LABEL,
    PREFIX,
    SYSTEM_LABELS,
    VENDOR,
    WORKER_POD_TEMPLATE,
    WorkloadMode,
)
from autoscaler.api.pool_rules import rule_for
from autoscaler.api.scalars import LONGEST_SCALAR
from autoscaler.api.worker_template import read_template
from autoscaler.kube.store import Object
from autoscaler.workloads.generation.effective import (
    Effective,
    effective_settings,
    sources_of,
    stated_properties,
)
from recommender.policy.annotations import named_profile
from recommender.policy.fields import (
    AMOUNTS,
    BLOCK_ANNOTATIONS,
    DECLARED_PREFIX,
    PROFILE_ANNOTATIONS,
    PROPERTIES,
    TARGET_ANNOTATIONS,
)
from recommender.policy.model import Mode
from recommender.policy.resolve import Resolved, resolve
from recommender.policy.stated import Stated
from recommender.policy.values import is_unset
from recommender.policy.written import written_config
from recommender.quantities import format_quantity, parse_quantity

FIELDS = (
    "poolName",
    "resources",
    "qos",
    "isLocalGPU",
    "noStandaloneWorkerMode",
    "isolation",
    "gpuModel",
    "gpuCount",
    "gpuIndices",
    "vendor",
    "autoScalingConfig",
    "nodeAffinity",
    "workerPodTemplate",
)
"""Of ``spec`` that follow the pod; all others are left as they are."""
_READ = frozenset(
    (
        *(f"{PREFIX}{key}" for statement in PROPERTIES for key in statement.annotations),
        *(f"{PREFIX}{key}" for key in (*BLOCK_ANNOTATIONS, *TARGET_ANNOTATIONS)),
        *(f"{PREFIX}{key}" for key in PROFILE_ANNOTATIONS),
        *DECLARED,
    )
)
_INDICES = re.compile(r"[0-9]{1,9}(,[0-9]{1,9})*")
_ISOLATIONS = ("shared", "soft")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What the spec of a workload is to be, without its replicas."""

    spec: Mapping[str, Any]
    """Of ``FIELDS``; a field that is not here is not set."""
    replicas: int | None
    """As annotation or profile state them; None: they do not."""
    is_autoscaled: bool
    """Whether auto-replicas acts, so that in remote mode the number is the autoscaler's."""
    effective: Effective
    problems: tuple[str, ...]
    """What of the pod cannot be read."""
    absent: tuple[str, ...]
    """What the pod names and is not there."""
    left_out: tuple[str, ...]
    """What of its profile and its pool's rule cannot be used, so that they do less."""

    @property
    def all_problems(self) -> tuple[str, ...]:
        """Return why a workload keeps the spec that it has, and does not follow the pod."""
        return (*self.problems, *self.absent)


def generated_spec(pod: Object, profile: Object | None, pool: Object | None) -> Generated:
    """Return the spec that follows from an admitted pod.

    ``profile`` is the WorkloadProfile that it names and ``pool`` its GPUPool; None where it is not
    there.  Nothing is raised for what users write.
    """
    reading = _Reading(pod)
    resolved = reading.resolved(profile, pool)
    written = written_config(resolved.settings)
    spec = reading.spec(resolved.stated, (profile or {}).get("spec") or {})
    if written.config:
        spec["autoScalingConfig"] = written.config
    properties = {
        **stated_properties(resolved.stated),
        "gpupool": reading.pool_name,
        "qos": spec["qos"],
        "gpu-count": spec["gpuCount"],
        "is-local-gpu": spec["isLocalGPU"],
    }
    chosen, rule = sources_of(reading.annotations), resolved.policy.replicas
    return Generated(
        spec={name: spec[name] for name in FIELDS if name in spec},
        replicas=resolved.stated.replicas,
        is_autoscaled=rule.is_enrolled and rule.mode is Mode.APPLY,
        effective=effective_settings(resolved.stated, properties, written, chosen),
        problems=tuple(reading.problems),
        absent=_absent(pod, profile, pool),
        left_out=tuple(reading.left_out),
    )


def profile_of(pod: Object) -> str | None:
    """Return the name of the profile that a pod names; None: it names none."""
    return named_profile(pod["metadata"].get("annotations") or {})


@dataclass(slots=True)
class _Reading:
    pod: Object
    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def annotations(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.pod["metadata"].get("annotations") or {}
        return found

    @property
    def pool_name(self) -> str:
        return (self.pod["metadata"].get("labels") or {}).get(POOL_LABEL) or ""

    def resolved(self, profile: Object | None, pool: Object | None) -> Resolved:
        """Return what annotations, profile and pool say, amounts of the profile left aside.

        Admission put those into the declared ones; a change of them waits for the next pod.
        """
        labels = self.pod["metadata"].get("labels") or {}
        own = {key: value for key, value in labels.items() if key not in SYSTEM_LABELS}
        spec = (pool or {}).get("spec") or {}
        rule = rule_for(spec, own)
        says = (profile or {}).get("spec") or {}
        resolved = resolve(
            annotations={key: text for key, text in self.annotations.items() if key in _READ},
            amounts_prefix=DECLARED_PREFIX,
            profile=None if profile is None else _of(says, ("autoScalingConfig", "replicas")),
            profile_name=profile_of(self.pod) or "",
            pool_rule=rule,
            pool_rule_name=f"{self.pool_name}/{rule.get('name')}" if rule else "",
        )
        for error in resolved.errors:
            is_own = error.path.startswith("annotation ")
            (self.problems if is_own else self.left_out).append(str(error))
        return resolved

    def spec(self, stated: Stated, profile_spec: Mapping[str, Any]) -> dict[str, Any]:
        mode = self._mode()
        spec: dict[str, Any] = {
            "poolName": self.pool_name,
            "resources": resources_of(stated),
            "qos": stated.qos,
            "isLocalGPU": mode is not WorkloadMode.REMOTE,
            "isolation": self._isolation(),
            "gpuModel": stated.gpu_model,
            "gpuCount": stated.gpu_count,
            "gpuIndices": self._indices(),
            "vendor": self.annotations.get(VENDOR, "").strip(),
        }
        if mode is not WorkloadMode.REMOTE:
            spec["noStandaloneWorkerMode"] = mode is WorkloadMode.EMBEDDED
        if mode is not WorkloadMode.EMBEDDED:
            spec["nodeAffinity"] = profile_spec.get("nodeAffinity")
            spec["workerPodTemplate"] = self._template(profile_spec)
        return {name: value for name, value in spec.items() if value not in (None, "", [], {})}

    def _mode(self) -> WorkloadMode:
        text = self.annotations.get(MODE, "")
        if text in set(WorkloadMode):
            return WorkloadMode(text)
        self._invalid(MODE, text, ", ".join(WorkloadMode))
        return WorkloadMode.EMBEDDED

    def _isolation(self) -> str:
        text = self.annotations.get(ISOLATION, "").strip().lower()
        if text in {"", *_ISOLATIONS}:
            return text
        self._invalid(ISOLATION, text, ", ".join(_ISOLATIONS))
        return ""

    def _indices(self) -> list[int]:
        text = "".join(self.annotations.get(GPU_INDICES, "").split())
        if not text or _INDICES.fullmatch(text):
            return [int(part) for part in text.split(",") if part]
        self._invalid(GPU_INDICES, text, "whole numbers from 0, separated by commas, such as 0,2")
        return []

    def _template(self, profile_spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
        text = self.annotations.get(WORKER_POD_TEMPLATE)
        if text is None or is_unset(text):
            return profile_spec.get("workerPodTemplate")
        template, problems = read_template(text, f"annotation {WORKER_POD_TEMPLATE}")
        self.problems.extend(map(str, problems))
        return template

    def _invalid(self, key: str, value: str, allowed: str) -> None:
        self.problems.append(f"annotation {key}: {value!r} is not valid; allowed: {allowed}")


def _absent(pod: Object, profile: Object | None, pool: Object | None) -> tuple[str, ...]:
    """Return what a pod names and is not there."""
    named = profile_of(pod)
    pool_name = (pod["metadata"].get("labels") or {}).get(POOL_LABEL)
    texts = (
        f"there is no WorkloadProfile {named!r} in its namespace" if named and not profile else "",
        f"there is no GPUPool {pool_name!r}" if not pool else "",
    )
    return tuple(filter(None, texts))


def resources_of(stated: Stated) -> dict[str, dict[str, str]]:
    """Return stated amounts as ``spec.resources``, quantities as their owner spelt them."""
    resources: dict[str, dict[str, str]] = {}
    for statement in AMOUNTS:
        quantity = stated.quantities.get(statement.key)
        if quantity is not None:
            _, side, amount = statement.profile.split(".")
            if len(quantity) > LONGEST_SCALAR:
                quantity = format_quantity(parse_quantity(quantity))
            resources.setdefault(side, {})[amount] = quantity
    return resources


def _of(mapping: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: mapping[key] for key in keys if key in mapping}
