"""Which of several pods cannot be evicted together, by the disruption budgets of their namespace.

The API server checks each eviction on its own, so that it would refuse the second of two pods when
the first is gone already, in vain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autoscaler.api.label_selector import matches
from autoscaler.kube.condition import find_condition
from autoscaler.kube.store import Object


def refused(pods: Iterable[Object], budgets: Sequence[Object]) -> frozenset[str]:
    """Return the UIDs of the pods for which nothing is left; all are of one namespace.

    A pod that is not ready takes nothing of a budget, and one with two budgets is never evicted.
    """
    left = [int((each.get("status") or {}).get("disruptionsAllowed") or 0) for each in budgets]
    found = set()
    for pod in pods:
        labels = pod["metadata"].get("labels") or {}
        own = [
            index
            for index, budget in enumerate(budgets)
            if matches((budget.get("spec") or {}).get("selector"), labels)
        ]
        if len(own) > 1:
            found.add(pod["metadata"]["uid"])
        elif own and (find_condition(pod, "Ready") or {}).get("status") == "True":
            [index] = own
            left[index] -= 1
            if left[index] < 0:
                found.add(pod["metadata"]["uid"])
    return frozenset(found)
