"""Writes the status of quotas, and tells once when a namespace is near or above what it may use."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from autoscaler.kube.condition import find_condition
from autoscaler.kube.event import EventType, reference_of
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import QUOTAS
from autoscaler.kube.status_apply import is_new
from autoscaler.kube.store import Object
from autoscaler.workloads.pace import Pace
from autoscaler.workloads.statuses.quota_status import QUOTA_STATUS, quota_status
from autoscaler.workloads.tools import Tools
from autoscaler.workloads.work import WorkKey, WorkKind

ACTION = "CheckQuota"


class QuotaReconciler:
    """Brings quotas up to date."""

    def __init__(self, tools: Tools, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._tools = tools
        self._pace = Pace(monotonic_s=monotonic_s)

    def reconcile(self, namespace: str, name: str) -> None:
        """Bring the status of one quota up to date.  Raises ``KubeError``."""
        quota = self._tools.cluster.store(QUOTAS).get(namespace, name)
        if quota is None:
            self._pace.forget(namespace, name)
            return
        use = self._tools.books.quota_use(namespace)
        status = quota_status(quota, use, now_s=self._tools.clock.now_s())
        if not is_new(quota, status, QUOTA_STATUS):
            return
        left_s = self._pace.left_s(namespace, name)
        if left_s:
            key = WorkKey(WorkKind.QUOTA, namespace, name)
            self._tools.work.add_after(key, left_s, Priority.STATUS)
            return
        self._tools.writer.write_status(QUOTAS, quota, status, QUOTA_STATUS)
        for condition in begun(quota, status):
            self._tools.events.record(
                reference_of(QUOTAS, quota),
                reason=condition["reason"],
                action=ACTION,
                note=condition["message"],
                type=EventType.WARNING,
            )


def begun(quota: Object, status: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the conditions of a new status that hold now and did not as the cache shows them."""
    return [
        each
        for each in status["conditions"]
        if each["status"] == "True"
        and (find_condition(quota, each["type"]) or {}).get("status") != "True"
    ]
