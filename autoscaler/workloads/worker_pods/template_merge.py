"""How what a user says of worker pods joins the template of the pool.

The pool's administrator decides, so that nothing of the pool is lost: labels, variables and amounts
are added or replaced by name, and demands on nodes and neighbours hold together with the pool's.
Which fields a user may say is checked before (``autoscaler.api.worker_template``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

Spec = Mapping[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_APPENDED = ("tolerations", "topologySpreadConstraints")
_NAMED = ("imagePullSecrets", "env")
_AFFINITIES = ("nodeAffinity", "podAffinity", "podAntiAffinity")


def merged_spec(pool: Spec, added: Spec) -> dict[str, Any]:
    """Return the spec of a pod; ``added`` has no containers, which are merged one by one."""
    spec = {**pool}
    for field, value in added.items():
        if field in _APPENDED:
            spec[field] = [*(pool.get(field) or ()), *(value or ())]
        elif field == "affinity":
            spec[field] = merged_affinity(pool.get(field) or {}, value or {})
        else:
            spec[field] = _merged(field, pool.get(field), value)
    return spec


def merged_container(pool: Spec, added: Spec) -> dict[str, Any]:
    """Return a container of the pool with the variables and amounts of the user."""
    new = {field: _merged(field, pool.get(field), value) for field, value in added.items()}
    return {**pool, **new}


def merged_affinity(pool: Spec, added: Spec) -> dict[str, Any]:
    """Return an affinity that holds where both hold; preferences are put together."""
    merged: dict[str, Any] = {**pool, **added}
    for part in _AFFINITIES:
        if part not in merged:
            continue
        ours, theirs = pool.get(part) or {}, added.get(part) or {}
        required, preferred = (
            [each.get(field) or () for each in (ours, theirs)] for field in (REQUIRED, PREFERRED)
        )
        if part == "nodeAffinity":
            demands: Any = _both([_terms(each) for each in required])
        else:
            demands = [*required[0], *required[1]]
        wishes = [*preferred[0], *preferred[1]]
        merged[part] = {
            **({REQUIRED: demands} if demands else {}),
            **({PREFERRED: wishes} if wishes else {}),
        }
    return merged


def _terms(required: Any) -> Sequence[Spec]:
    return (required.get("nodeSelectorTerms") or ()) if isinstance(required, Mapping) else ()


def _both(alternatives: Sequence[Sequence[Spec]]) -> dict[str, Any]:
    """Return terms of which one holds exactly where one of each side holds.

    Terms are alternatives, and what stands in one of them holds together.
    """
    sides = [terms for terms in alternatives if terms]
    terms = [_together(pair) for pair in product(*sides)] if sides else []
    return {"nodeSelectorTerms": terms} if terms else {}


def _together(terms: Sequence[Spec]) -> dict[str, Any]:
    fields = ("matchExpressions", "matchFields")
    joined = {field: [each for term in terms for each in term.get(field) or ()] for field in fields}
    return {field: demands for field, demands in joined.items() if demands}


def _merged(field: str, pool: Any, added: Any) -> Any:
    if field in _NAMED:
        names = {each.get("name") for each in added or ()}
        kept = [each for each in pool or () if each.get("name") not in names]
        return [*kept, *(added or ())]
    if isinstance(pool, Mapping) and isinstance(added, Mapping):
        keys = {**pool, **added}
        return {
            key: _merged(key, pool.get(key), added[key]) if key in added else pool[key]
            for key in keys
        }
    return added
