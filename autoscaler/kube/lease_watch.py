"""Whether somebody leads, for those who are no candidates themselves.

A leader is known by what it does: it renews its lease.  The times in a lease come from another
machine's clock, and are compared with nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autoscaler.errors import NotFoundError
from autoscaler.kube.lease import holder_of, stated_length_s
from autoscaler.kube.resource import LEASES

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

LOOK_EVERY_S = 1.0


def active_leader(
    api: ApiServer,
    name: str,
    *,
    namespace: str,
    wait: Callable[[float], None] = time.sleep,
    steady_s: Callable[[], float] = time.monotonic,
) -> str:
    """Return the holder of a lease who renews it; empty: nobody leads.

    Looks on for as long as the lease claims to be held, which is for a holder that is gone only.
    Raises ``KubeError``.
    """
    first = _lease(api, name, namespace)
    end_s = steady_s() + stated_length_s(first)
    while holder_of(first) and steady_s() < end_s:
        wait(LOOK_EVERY_S)
        now = _lease(api, name, namespace)
        if now.get("spec") != first.get("spec"):
            return holder_of(now)
    return ""


def _lease(api: ApiServer, name: str, namespace: str) -> dict[str, Any]:
    try:
        return api.get(LEASES, name, namespace)
    except NotFoundError:
        return {}
