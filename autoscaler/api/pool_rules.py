"""Which of a pool's rules speaks for a pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.api.label_selector import matches


def rule_for(pool_spec: Mapping[str, Any], labels: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return the first of a pool's rules for a pod with these labels; None: there is none.

    A rule without selector is for every pod.  ``labels`` are those that the pod's user may write
    (without ``names.SYSTEM_LABELS``): the others select nothing.
    """
    rules = pool_spec.get("rules") or ()
    return next((rule for rule in rules if matches(rule.get("podSelector") or {}, labels)), None)
