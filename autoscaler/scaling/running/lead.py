"""The lead of this process, and where the page of whoever leads is.

The name of a candidate in the Lease ends with its address, so that the processes that do not work
know where the one is that does.  Nobody but our ServiceAccount may write that Lease.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING

from autoscaler.errors import UsageError
from autoscaler.kube.elector import Elector, process_identity

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.cache_set import CacheSet
    from autoscaler.scaling.running.rules import AutoscalerRules

SEPARATOR = "_"
"""Between the parts of a name: host, a number of its own, and the address, if there is one."""
PARTS_WITH_ADDRESS = 3


def elector_of(api: ApiServer, rules: AutoscalerRules, *, page_address: str = "") -> Elector:
    """Return the elector of one instance.  Raises ``UsageError`` for what is no IP address."""
    identity = process_identity()
    if page_address:
        identity = f"{identity}{SEPARATOR}{_checked(page_address)}"
    return Elector(api, namespace=rules.namespace, name=rules.lease_name, identity=identity)


def host_of(identity: str) -> str:
    """Return the host, which in a cluster is the pod, of a candidate's name."""
    return identity.partition(SEPARATOR)[0]


def address_of(identity: str) -> str:
    """Return the IP address in a candidate's name; empty where there is none."""
    parts = identity.split(SEPARATOR)
    if len(parts) < PARTS_WITH_ADDRESS:
        return ""
    try:
        return str(ipaddress.ip_address(parts[-1]))
    except ValueError:
        return ""


def elsewhere(elector: Elector) -> Callable[[], str]:
    """Return what says where the process that leads is; empty: here, or nobody knows."""

    def address() -> str:
        return "" if elector.is_leader() else address_of(elector.snapshot().holder)

    return address


def absence_of(caches: CacheSet, elector: Elector) -> Callable[[], str]:
    """Return what says why this process decides nothing; empty: it does, or is about to."""

    def absence() -> str:
        if elector.is_leader():
            return ""
        problems = caches.problems()
        if problems:
            return f"this process is not ready: {problems[0]}"
        known = elector.snapshot()
        leader = f"{host_of(known.holder)} does" if known.holder else "nobody is known to"
        why = f", because its Lease cannot be had: {known.last_error}" if known.last_error else ""
        return f"this process does not decide{why}; at present {leader}"

    return absence


def _checked(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise UsageError(
            f"--page-address: {text!r} is not valid; allowed: an IPv4 or IPv6 address"
        ) from None
