"""Stopping the controller before leaving: one that leads would fill the webhook lists again."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from autoscaler.api.names import CONTROLLER_LEASE
from autoscaler.errors import AutoscalerError, NotFoundError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.lease_watch import active_leader
from autoscaler.kube.resource import DEPLOYMENTS

MOST_S = 120.0
"""Its pods end within 45 s; where a node does not answer it takes longer."""


def stop_controller(
    api: ApiServer,
    *,
    namespace: str,
    wait: Callable[[float], None] = time.sleep,
    steady_s: Callable[[], float] = time.monotonic,
) -> None:
    """Scale the controller's Deployment to 0, and wait until nobody renews its Lease.

    A Deployment that is not there is none that runs.  Raises ``AutoscalerError`` where somebody
    still leads after ``MOST_S``, and ``KubeError``.
    """
    none = {"spec": {"replicas": 0}}
    with suppress(NotFoundError):
        # The Lease and the Deployment have one name.
        api.merge_patch(DEPLOYMENTS, CONTROLLER_LEASE, none, namespace, subresource="scale")
    end_s = steady_s() + MOST_S
    while leader := active_leader(
        api, CONTROLLER_LEASE, namespace=namespace, wait=wait, steady_s=steady_s
    ):
        if steady_s() > end_s:
            raise AutoscalerError(
                f"the controller {leader} still leads {MOST_S:.0f} s after its Deployment "
                f"{namespace}/{CONTROLLER_LEASE} was scaled to 0; allowed: end that process first"
            )
