"""Finds the server that has a cluster's metrics among its Services.

Which Services are meant is the table of ``prometheus_services``.  The servers themselves are not
asked: whether one has the right series is seen by whoever reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoscaler.kube.prometheus_services import FoundService, found_services, selectors
from autoscaler.kube.resource import SERVICES

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

TIMEOUT_S = 5.0
"""Of one list: few Services have such labels, and a person waits."""


def discover(api: ApiServer) -> tuple[FoundService, ...]:
    """Return the Services of all namespaces that answer the Prometheus API, best first.

    Needs the right to list Services of all namespaces.  Raises ``KubeError``.
    """
    services: list[dict[str, Any]] = []
    for selector in selectors():
        query = {"labelSelector": selector}
        answer = api.request("GET", SERVICES.path(), query=query, timeout_s=TIMEOUT_S)
        services += answer.get("items") or ()
    return found_services(services)
