"""Which part of a workload's status the autoscaler writes; everything else of it is others'."""

from __future__ import annotations

from autoscaler.api.names import Condition, FieldManager
from autoscaler.kube.status_apply import StatusOwner

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
