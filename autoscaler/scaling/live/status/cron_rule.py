"""``status.activeCronScalingRule``: the cron rule whose window is open.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recommender.cron import active_rules

if TYPE_CHECKING:
    from recommender.policy.model import Policy


def cron_rule_of(policy: Policy, spec: Mapping[str, Any], now_s: int) -> dict[str, Any]:
    """Return the first rule whose window is open, as the workload's ``spec`` has it.

    Empty where no window is open.
    """
    active = active_rules(tuple(enumerate(policy.cron)), now_s)
    if not active:
        return {}
    index, rule = active[0]
    config = spec.get("autoScalingConfig") or {}
    written = config.get("cronScalingRules") or ()
    stated = written[index] if index < len(written) else {}
    is_it = isinstance(stated, Mapping) and stated.get("name", rule.name) == rule.name
    return {**(stated if is_it else {}), "name": rule.name}
