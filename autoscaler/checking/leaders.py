"""Whether somebody leads: a Lease that is renewed, for controller and autoscaler."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from autoscaler.api.names import AUTOSCALER_LEASE, CONTROLLER_LEASE, ServiceAccount
from autoscaler.findings import Finding, Status
from autoscaler.kube.lease_watch import active_leader
from autoscaler.kube.resource import LEASES

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

LEADERS = {
    ServiceAccount.CONTROLLER: CONTROLLER_LEASE,
    ServiceAccount.AUTOSCALER: AUTOSCALER_LEASE,
}


def check_leaders(
    api: ApiServer, *, namespace: str, installed: frozenset[str]
) -> tuple[Finding, ...]:
    """Return a finding for each process that elects a leader.  Raises ``KubeError``.

    A Lease whose holder is gone is watched for as long as it claims to be held, usually 15 s.
    """
    names = [
        str(obj["metadata"]["name"])
        for objects, _ in api.pages(LEASES, namespace=namespace)
        for obj in objects
    ]
    return tuple(
        _finding(api, process, _leases(process, names), namespace, is_there=process in installed)
        for process in LEADERS
    )


def _leases(process: ServiceAccount, names: Sequence[str]) -> list[str]:
    """Return the leases of a process: several where instances divide the namespaces among them."""
    base = LEADERS[process]
    return [name for name in names if name == base or name.startswith(f"{base}-")]


def _finding(
    api: ApiServer,
    process: ServiceAccount,
    leases: Sequence[str],
    namespace: str,
    *,
    is_there: bool,
) -> Finding:
    check = f"leader-{process}"
    if not leases and not is_there:
        return Finding(check=check, status=Status.SKIPPED, text=f"No {process} is installed.")
    if not leases:
        return Finding(
            check=check,
            status=Status.FAILED,
            text=f"No {process} ever led: Lease {namespace}/{LEADERS[process]} does not exist.",
            next_step=f"Look at the pods of the {process}, and at rights-{process} here.",
        )
    with ThreadPoolExecutor(len(leases)) as pool:
        holders = list(pool.map(lambda name: active_leader(api, name, namespace=namespace), leases))
    silent = tuple(
        f"{namespace}/{name}" for name, holder in zip(leases, holders, strict=True) if not holder
    )
    if silent:
        return Finding(
            check=check,
            status=Status.FAILED,
            text=f"Nobody renews the Lease, so that no {process} works.",
            next_step=f"Look at the pods of the {process} and at their logs.",
            subjects=silent,
        )
    text = f"The Lease is renewed by {', '.join(holders)}."
    return Finding(check=check, status=Status.OK, text=text)
