"""What the autoscaler's conditions of a workload say.  Pure.

Without times, ages and amounts, so that nothing is written while nothing has changed.  Conditions
that tell of trouble stand there only while there is some.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.api.condition_reasons import ExternalReason, RecommendationReason, UpdateReason
from autoscaler.api.names import CONTROL_CONFIG_MAP, Condition
from autoscaler.scaling.live.status.statement import Said
from recommender.decision import Code
from recommender.policy.model import Follows, Mode

if TYPE_CHECKING:
    from autoscaler.scaling.live.replicas.replica_state import Held
    from recommender.policy.model import LimitRule, Policy, ReplicaRule, RequestRule

_SWITCHES = f"ConfigMap {CONTROL_CONFIG_MAP}"
_ACTING = (Mode.INITIAL, Mode.APPLY)
_ALONE = {Follows.CRON: "cronScalingRules", Follows.ANSWERS: "externalScaler"}
_REASONS = {
    Code.NotEnoughHistory: RecommendationReason.NOT_ENOUGH_HISTORY,
    Code.NoSamples: RecommendationReason.NO_SAMPLES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the conditions of one workload follow from."""

    policy: Policy
    unknown: Code | None
    """Why nothing is recommended; None where something is."""
    is_stale: bool
    mode: Mode
    """Of the whole process: recommend or apply."""
    hold: str
    """Why only raises pass now; empty: all does."""
    is_paused: bool
    problem: str
    """What of its settings or workers cannot be used; empty: all can."""
    held: Held | None
    """Why its replicas are not set, where they are automatic."""
    external: tuple[ExternalReason, str] | None
    """How its external scaler does; None where it has none."""


def said_of(facts: Facts) -> Mapping[Condition, Said]:
    """Return what the conditions of a workload are to say."""
    return dict(_said(facts))


def what_acts(policy: Policy) -> tuple[str, ...]:
    """Return what may change something: annotations of layers, or what acts without them."""
    layers: tuple[tuple[str, tuple[RequestRule | LimitRule | ReplicaRule, ...]], ...] = (
        ("auto-requests", tuple(policy.requests.values())),
        ("auto-limits", tuple(policy.limits.values())),
        ("auto-replicas", (policy.replicas,)),
    )
    names = (
        _ALONE.get(rule.follows, name)
        for name, rules in layers
        for rule in rules
        if rule.is_enrolled and rule.mode in _ACTING
    )
    return tuple(dict.fromkeys(names))


def _said(facts: Facts) -> Iterator[tuple[Condition, Said]]:
    yield Condition.RECOMMENDATION_PROVIDED, _of_recommendation(facts.unknown)
    yield Condition.RESOURCE_UPDATE, _of_update(facts)
    if facts.is_stale:
        text = (
            "its workers have no fresh samples: nothing is lowered but limits, which go back to "
            "the last safe amount"
        )
        yield Condition.STALE_METRICS, Said.yes(Condition.STALE_METRICS, text)
    if facts.held is not None and facts.policy.replicas.is_enrolled:
        yield Condition.REPLICAS_NOT_SCALED, Said.yes(facts.held.reason, facts.held.text)
    if facts.external is not None:
        reason, text = facts.external
        is_known = reason is not ExternalReason.NOT_ASKED_YET
        answers = reason is ExternalReason.ANSWERED if is_known else None
        yield Condition.EXTERNAL_SCALER, Said(is_true=answers, reason=str(reason), message=text)


def _of_recommendation(unknown: Code | None) -> Said:
    if unknown is None:
        text = "recommended from measured use"
        return Said.yes(RecommendationReason.RECOMMENDED, text)
    reason = _REASONS.get(unknown, RecommendationReason.OTHER)
    return Said.no(reason, unknown.template)


def _of_update(facts: Facts) -> Said:
    if facts.problem:
        return Said.no(UpdateReason.INVALID_CONFIG, facts.problem)
    acting = what_acts(facts.policy)
    if not acting:
        text = (
            "auto-requests, auto-limits and auto-replicas are off or only recommend: nothing is "
            "changed"
        )
        return Said.no(UpdateReason.NOT_ENROLLED, text)
    if facts.mode is not Mode.APPLY:
        text = f"the installation is in mode recommend ({_SWITCHES}): nothing is changed"
        return Said.no(UpdateReason.RECOMMEND_ONLY, text)
    if facts.is_paused:
        text = "the workload, its pool or everything is paused: nothing is changed"
        return Said.no(UpdateReason.PAUSED, text)
    if facts.hold:
        return Said.no(UpdateReason.HELD, f"only raises pass: {facts.hold}")
    text = f"{', '.join(acting)}: on, and what is decided is carried out"
    return Said.yes(UpdateReason.UPDATED, text)
