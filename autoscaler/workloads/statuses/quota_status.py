"""The status of a quota: what is in use, and whether that is near or above what it allows."""

from __future__ import annotations

from typing import Any

from autoscaler.api.condition_reasons import QuotaReason
from autoscaler.api.names import Condition, FieldManager
from autoscaler.kube.condition import condition
from autoscaler.kube.status_apply import StatusOwner
from autoscaler.kube.store import Object
from autoscaler.workloads.books.quota_maxima import Maximum, read_total
from autoscaler.workloads.books.quota_use import QuotaUse

QUOTA_STATUS = StatusOwner(
    field_manager=FieldManager.CONTROLLER,
    fields=frozenset({"observedGeneration", "used"}),
    conditions=frozenset({Condition.ALERT_THRESHOLD_REACHED, Condition.QUOTA_EXCEEDED}),
)


def quota_status(quota: Object, use: QuotaUse, *, now_s: float) -> dict[str, Any]:
    """Return the whole status of a quota; ``use`` is that of all workers of its namespace.

    Where a maximum cannot be read and none is exceeded, ``QuotaExceeded`` is unknown.
    """
    total, used = read_total(quota), use.by_field()
    stated = [each for each in total.maxima if not each.problem]
    above = [each for each in stated if used[each.field] > each.amount]
    near = [each for each in stated if _is_near(each, used, total.alert_threshold_percent)]
    is_exceeded = True if above else None if total.problems else False
    texts = [*(_use_of(each, used) for each in above), *total.problems]
    generation = quota["metadata"].get("generation")
    return {
        **({} if generation is None else {"observedGeneration": generation}),
        "used": {
            "requests": use.requests.as_mapping(),
            "limits": use.limits.as_mapping(),
            "workers": use.workers,
        },
        "conditions": [
            condition(
                quota,
                Condition.ALERT_THRESHOLD_REACHED,
                is_true=bool(near),
                reason=Condition.ALERT_THRESHOLD_REACHED if near else QuotaReason.WITHIN_QUOTA,
                message=_near_text(near, used, total.alert_threshold_percent),
                now_s=now_s,
            ),
            condition(
                quota,
                Condition.QUOTA_EXCEEDED,
                is_true=is_exceeded,
                reason=_REASONS[is_exceeded],
                message="; ".join(texts),
                now_s=now_s,
            ),
        ],
    }


_REASONS = {
    True: Condition.QUOTA_EXCEEDED,
    None: QuotaReason.INVALID_QUOTA,
    False: QuotaReason.WITHIN_QUOTA,
}


def _is_near(maximum: Maximum, used: dict[str, int], threshold_percent: int) -> bool:
    amount = used[maximum.field]
    return amount > 0 and amount * 100 >= maximum.amount * threshold_percent


def _near_text(near: list[Maximum], used: dict[str, int], threshold_percent: int) -> str:
    texts = [_use_of(each, used) for each in near]
    return f"{threshold_percent} % or more: {'; '.join(texts)}" if texts else ""


def _use_of(maximum: Maximum, used: dict[str, int]) -> str:
    used_text, most = maximum.text(used[maximum.field]), maximum.text(maximum.amount)
    return f"spec.total.{maximum.field}: {used_text} of {most} in use"
