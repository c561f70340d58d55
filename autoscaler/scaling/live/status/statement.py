"""All that the autoscaler says in the status of one workload.  Pure.

It is one value, because it is written as a whole: what is left out is removed.  Two halves change
at different times: what was decided, with the decision, and what is shown, at leisure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from autoscaler.api.names import Condition, FieldManager
from autoscaler.kube.condition import LONGEST_MESSAGE, condition, conditions_of
from autoscaler.kube.status_apply import StatusOwner
from autoscaler.kube.store import Object

RECOMMENDATION = "recommendation"
DESIRED = "desiredResources"
GUARD = "guard"
CRON_RULE = "activeCronScalingRule"
CONDITIONS = (
    Condition.RECOMMENDATION_PROVIDED,
    Condition.RESOURCE_UPDATE,
    Condition.STALE_METRICS,
    Condition.REPLICAS_NOT_SCALED,
    Condition.EXTERNAL_SCALER,
)
OWNER = StatusOwner(
    field_manager=FieldManager.AUTOSCALER,
    fields=frozenset({RECOMMENDATION, DESIRED, GUARD, CRON_RULE}),
    conditions=frozenset(CONDITIONS),
)
"""Which part of a status the autoscaler writes; everything else of it is others'."""
Part = Mapping[str, Any]
_NOTHING: Part = MappingProxyType({})
_IS_TRUE = {"True": True, "False": False}


class Said(NamedTuple):
    """What a condition says."""

    is_true: bool | None
    """None: nobody knows."""
    reason: str
    message: str

    @classmethod
    def yes(cls, reason: str, message: str) -> Self:
        """Return that it holds."""
        return cls(is_true=True, reason=str(reason), message=message)

    @classmethod
    def no(cls, reason: str, message: str) -> Self:
        """Return that it does not hold."""
        return cls(is_true=False, reason=str(reason), message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided; empty parts are absent."""

    desired: Part = field(default_factory=lambda: _NOTHING)
    guard: Part = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown to people; empty parts are absent."""

    recommendation: Part = field(default_factory=lambda: _NOTHING)
    cron_rule: Part = field(default_factory=lambda: _NOTHING)
    said: Mapping[Condition, Said] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The autoscaler's part of the status of one workload."""

    decided: Decided = Decided()
    shown: Shown = Shown()

    def status(self, workload: Object, *, now_s: float) -> dict[str, Any]:
        """Return the statement as the status of a workload, which the cache shows as given.

        A condition keeps the time of its last change, which is ``now_s`` where it changes now.
        """
        fields = {
            RECOMMENDATION: self.shown.recommendation,
            DESIRED: self.decided.desired,
            GUARD: self.decided.guard,
            CRON_RULE: self.shown.cron_rule,
        }
        conditions = [
            condition(
                workload,
                kind,
                is_true=each.is_true,
                reason=each.reason,
                message=each.message[:LONGEST_MESSAGE],
                now_s=now_s,
            )
            for kind, each in sorted(self.shown.said.items())
        ]
        present = {name: dict(part) for name, part in fields.items() if part}
        return {**present, **({"conditions": conditions} if conditions else {})}


def statement_in(workload: Object) -> Statement:
    """Return what stands in the status of a workload."""
    status: Mapping[str, Any] = workload.get("status") or {}
    said = {
        Condition(each["type"]): Said(
            is_true=_IS_TRUE.get(each.get("status", "")),
            reason=each.get("reason") or "",
            message=each.get("message") or "",
        )
        for each in conditions_of(workload)
        if each.get("type") in CONDITIONS
    }
    return Statement(
        decided=Decided(
            desired=status.get(DESIRED) or _NOTHING, guard=status.get(GUARD) or _NOTHING
        ),
        shown=Shown(
            recommendation=status.get(RECOMMENDATION) or _NOTHING,
            cron_rule=status.get(CRON_RULE) or _NOTHING,
            said=MappingProxyType(said),
        ),
    )
