"""Workloads that enrol nothing but cron rules or an external scaler.

A rule, or an endpoint, that is enabled is to act, also where no layer follows use.  Where one of
``autoSetRequests``, ``autoSetLimits`` and ``autoSetResources`` acts, what it may change is the
bound for rules and endpoint too, as ``targetResource`` says.  Where none does, they act alone: each
rule on the amounts that it names, the endpoint on all.  Replicas follow rules in the same way.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from recommender.policy.generations import RESOURCES, acts
from recommender.policy.model import Dimension, Follows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recommender.policy.generations import Governing
    from recommender.policy.model import (
        CronRule,
        ExternalScaler,
        LimitRule,
        ReplicaRule,
        RequestRule,
    )
    from recommender.policy.taking import Taking

AT_ONCE_S = 0
UNBOUNDED = math.inf


def asked_amounts(
    taking: Taking,
    chosen: Mapping[Dimension, Governing],
    requests: Mapping[Dimension, RequestRule],
    limits: Mapping[Dimension, LimitRule],
    cron: Sequence[CronRule],
    external: ExternalScaler | None,
) -> tuple[dict[Dimension, RequestRule], dict[Dimension, LimitRule]]:
    """Return the rules of both layers, enrolled where only rules or an endpoint are.

    ``chosen`` says which blocks act; blocks that contradict each other do not.
    """
    made_requests, made_limits = dict(requests), dict(limits)
    if _only_recommends(taking) or any(map(_acts, chosen.values())):
        return made_requests, made_limits
    for dimension in Dimension:
        follows, field_path = _followed(dimension, cron, external)
        if follows is Follows.USE:
            continue
        at = (f"requests.{dimension}", f"limits.{dimension}")
        taking.take(field_path, *(f"{each}.is_enrolled" for each in at))
        mode = taking.whole_mode(*(f"{each}.mode" for each in at))
        # what is asked for is exact: no step of a layer's own, and nothing to wait for
        made_requests[dimension] = replace(
            requests[dimension],
            is_enrolled=True,
            mode=mode,
            follows=follows,
            initial_delay_s=AT_ONCE_S,
            evaluation_s=AT_ONCE_S,
        )
        made_limits[dimension] = replace(
            limits[dimension],
            is_enrolled=True,
            mode=mode,
            follows=follows,
            scale_up_step=1.0,
            max_ratio_to_requests=UNBOUNDED,
            evaluation_s=AT_ONCE_S,
        )
    return made_requests, made_limits


def asked_replicas(taking: Taking, rule: ReplicaRule, cron: Sequence[CronRule]) -> ReplicaRule:
    """Return the rule of replicas, enrolled where only cron rules are."""
    asks = any(each.replicas is not None for each in _acting(cron))
    if not asks or taking.settings.value("autoSetReplicas.enable"):
        return rule
    taking.take("cronScalingRules", "replicas.is_enrolled")
    mode = taking.whole_mode("replicas.mode")
    return replace(rule, is_enrolled=True, mode=mode, follows=Follows.CRON)


def _followed(
    dimension: Dimension, cron: Sequence[CronRule], external: ExternalScaler | None
) -> tuple[Follows, str]:
    """Return what a dimension follows, and the field that says so."""
    if external is not None and external.is_enabled:
        return Follows.ANSWERS, "externalScaler.enable"
    if any(dimension in each.requests or dimension in each.limits for each in _acting(cron)):
        return Follows.CRON, "cronScalingRules"
    return Follows.USE, ""


def _acts(governing: Governing) -> bool:
    return governing.acts_on_requests or governing.acts_on_limits


def _only_recommends(taking: Taking) -> bool:
    """Return whether ``autoSetResources`` is on without a target: that is to change nothing."""
    is_on = bool(taking.settings.value(f"{RESOURCES}.enable"))
    return is_on and not any(acts(taking, RESOURCES, dimension) for dimension in Dimension)


def _acting(cron: Sequence[CronRule]) -> list[CronRule]:
    return [rule for rule in cron if rule.is_enabled and rule.problem is None]
