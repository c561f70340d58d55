"""What is stated and enrolled of a workload beside an upstream operator.  Pure.

The operator's own kinds cannot hold our settings, so they come from the annotations of the workers
and from a mounted file of profiles; rows of a workloads file win.  What the operator's workload
states (amounts, replicas) is what counts as declared: in the annotations of its workers stands what
is in force.  Annotations that switch on the operator's own autoscaling are addressed to it, and
say nothing here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from autoscaler.api.names import IN_FORCE, PREFIX
from autoscaler.scaling.live.viewing.policies import Settings
from recommender.policy.annotations import named_profile
from recommender.policy.fields import AMOUNTS, PROFILE_ANNOTATIONS, TARGET_ANNOTATIONS
from recommender.policy.profiles import find_profile
from recommender.policy.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.kube.store import Object
    from recommender.policy.model import Policy
    from recommender.policy.resolve import Resolved
    from recommender.policy.stated import Stated

    Profiles = Mapping[tuple[str, str], Mapping[str, object]]

OF_THE_OPERATOR = frozenset(
    f"{PREFIX}{key}" for key in ("autoscale", "auto-resources", *TARGET_ANNOTATIONS)
)
_NOT_SETTINGS = frozenset(
    (*IN_FORCE, *OF_THE_OPERATOR, *(f"{PREFIX}{key}" for key in PROFILE_ANNOTATIONS))
)
_OF_SPEC = ("qos", "gpuCount", "gpuModel", "poolName")
_KNOWN = 16_384


def settings_of(
    namespace: str,
    annotations: Mapping[str, str],
    spec: Mapping[str, Any],
    *,
    profiles: Profiles,
    row: Mapping[str, object] | None,
) -> Settings:
    """Return the settings of a workload; nothing is raised for what anybody wrote.

    ``annotations`` are those of its newest worker, ``spec`` is what is declared
    (``declared_spec``), ``row`` its row of the workloads file.
    """
    named = str((row or {}).get("profile") or named_profile(annotations) or "")
    holder, slash, alone = named.partition("/")
    found = find_profile(profiles, holder if slash else namespace, alone if slash else named)
    said = {
        "annotations": {k: v for k, v in sorted(annotations.items()) if k not in _NOT_SETTINGS},
        # A name that the mounted file lacks is that of a profile of the operator.
        "profile": None if found is None else found[1],
        "profile_name": "" if found is None else found[0],
        "overrides": None if row is None else dict(row),
        "workload": {key: spec[key] for key in _OF_SPEC if key in spec},
    }
    policy, problem = _policy(_text(said))
    said["workload"] = {**spec}
    stated, _ = _stated(_text(said))
    return Settings(policy=policy, stated=stated, problem=problem)


def declared_spec(workload: Object | None, first_amounts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is declared, in the form of a workload of ours, whatever the operator wrote.

    ``first_amounts`` count where the operator's workload cannot be read: what its workers had when
    they were seen first.
    """
    spec = {} if workload is None else workload.get("spec") or {}
    kept = {key: spec[key] for key in _OF_SPEC if isinstance(spec.get(key), str | int)}
    resources = resources_in(spec.get("resources"))
    kept["resources"] = resources or first_amounts
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and not isinstance(replicas, bool) and replicas >= 0:
        kept["replicas"] = replicas
    return kept


def resources_in(resources: object) -> dict[str, dict[str, Any]]:
    """Return ``requests`` and ``limits`` with the keys that are known; zeros state nothing."""
    if not isinstance(resources, dict):
        return {}
    found = {}
    for side in ("requests", "limits"):
        amounts = resources.get(side)
        if isinstance(amounts, dict):
            found[side] = {
                key: amounts[key]
                for key in ("tflops", "compute", "vram")
                if amounts.get(key) not in (None, "", "0", 0)
            }
    return {side: amounts for side, amounts in found.items() if amounts}


def amounts_in(annotations: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the amounts that a worker has in force, in the form of ``resources``."""
    found: dict[str, dict[str, str]] = {}
    for statement, key in zip(AMOUNTS, IN_FORCE, strict=True):
        if annotations.get(key):
            _, side, name = statement.profile.split(".")
            found.setdefault(side, {})[name] = annotations[key]
    return found


@lru_cache(maxsize=_KNOWN)
def _policy(text: bytes) -> tuple[Policy, str]:
    resolved = _resolved(text)
    return resolved.policy, "; ".join(map(str, resolved.errors))


@lru_cache(maxsize=_KNOWN)
def _stated(text: bytes) -> tuple[Stated, str]:
    resolved = _resolved(text)
    return resolved.stated, "; ".join(map(str, resolved.errors))


def _resolved(text: bytes) -> Resolved:
    said = orjson.loads(text)
    return resolve(workload_name="of the operator", **said)


def _text(said: Mapping[str, object]) -> bytes:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
