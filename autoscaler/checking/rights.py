"""Whether each installed process may do what it must, and whether we may apply recommendations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.api.names import ServiceAccount
from autoscaler.errors import ForbiddenError
from autoscaler.findings import Finding, Status, first_named
from autoscaler.kube.access_review import Account, missing_rights, service_account, who_am_i
from autoscaler.kube.process_rights import APPLY_ROLE, RIGHTS

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

APPLYING = "rights-apply"


def check_rights(
    api: ApiServer, *, namespace: str, installed: frozenset[str]
) -> tuple[Finding, ...]:
    """Return a finding for each process, and one for ``tfa apply``.  Raises ``KubeError``."""
    me = who_am_i(api)
    processes = (process for process in RIGHTS if process != APPLY_ROLE)
    return (
        *(
            _process(api, process, me, namespace, is_there=process in installed)
            for process in processes
        ),
        _apply(api, me, namespace),
    )


def _process(
    api: ApiServer, process: str, me: Account, namespace: str, *, is_there: bool
) -> Finding:
    check = f"rights-{process}"
    if not is_there:
        return Finding(check=check, status=Status.SKIPPED, text=f"No {process} is installed.")
    account = service_account(ServiceAccount(process).namespace(namespace), process)
    # About oneself everybody may ask.
    other = None if me.user == account.user else account
    rights = RIGHTS[process]
    try:
        missing = missing_rights(api, rights, namespace=namespace, account=other)
    except ForbiddenError:
        return Finding(
            check=check,
            status=Status.SKIPPED,
            text=f"{me.user} may not ask what {account.user} may do.",
            next_step=f"Run tfa check in a pod of the {process}, or as a cluster administrator.",
        )
    if not missing:
        text = f"{account.user} has all {len(rights)} rights that it needs."
        return Finding(check=check, status=Status.OK, text=text)
    return Finding(
        check=check,
        status=Status.FAILED,
        text=f"{account.user} lacks {len(missing)} of {len(rights)} rights.",
        next_step="Apply deploy/kustomize again: its roles have all of them.",
        subjects=first_named([str(right) for right in missing]),
    )


def _apply(api: ApiServer, me: Account, namespace: str) -> Finding:
    missing = missing_rights(api, RIGHTS[APPLY_ROLE], namespace=namespace)
    if not missing:
        text = f"{me.user} may write recommendations with tfa apply in every namespace."
        return Finding(check=APPLYING, status=Status.OK, text=text)
    return Finding(
        check=APPLYING,
        status=Status.SKIPPED,
        text=f"{me.user} may not use tfa apply in every namespace; in single namespaces a "
        f"RoleBinding to the ClusterRole {APPLY_ROLE} is enough.",
    )
