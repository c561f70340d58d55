"""Asks the API server who somebody is and what he may do, which changes nothing.

About oneself everybody may ask; about another account only who may create SubjectAccessReviews.
What a process needs is the table of ``process_rights``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.kube.process_rights import Right, Scope

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

AUTHORIZATION = "authorization.k8s.io/v1"
AUTHENTICATION = "authentication.k8s.io/v1"
MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody whom the API server knows."""

    user: str
    groups: tuple[str, ...] = ()


def service_account(namespace: str, name: str) -> Account:
    """Return a ServiceAccount as the API server names it."""
    return Account(
        user=f"system:serviceaccount:{namespace}:{name}",
        groups=(
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        ),
    )


def who_am_i(api: ApiServer) -> Account:
    """Return whom the API server takes us for.  Raises ``KubeError``."""
    body = {"apiVersion": AUTHENTICATION, "kind": "SelfSubjectReview"}
    answer = api.request("POST", f"/apis/{AUTHENTICATION}/selfsubjectreviews", body=body)
    info = (answer.get("status") or {}).get("userInfo") or {}
    return Account(user=str(info.get("username") or ""), groups=tuple(info.get("groups") or ()))


def missing_rights(
    api: ApiServer, rights: Sequence[Right], *, namespace: str, account: Account | None = None
) -> tuple[Right, ...]:
    """Return those of the rights that are not granted, in their order.

    They are our own, or those of ``account``; ``namespace`` is the installation's.  Raises
    ``KubeError``, among them ``ForbiddenError`` for who may not ask about others.
    """

    def is_missing(right: Right) -> bool:
        return not may(api, right, namespace=namespace, account=account)

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        lacking = list(pool.map(is_missing, rights))
    return tuple(right for right, is_lacking in zip(rights, lacking, strict=True) if is_lacking)


def may(api: ApiServer, right: Right, *, namespace: str, account: Account | None = None) -> bool:
    """Return whether a right is granted to us, or to an account.  Raises ``KubeError``."""
    spec: dict[str, Any] = {"resourceAttributes": _attributes(right, namespace)}
    kind = "SelfSubjectAccessReview"
    if account is not None:
        kind = "SubjectAccessReview"
        spec |= {"user": account.user, "groups": list(account.groups)}
    body = {"apiVersion": AUTHORIZATION, "kind": kind, "spec": spec}
    answer = api.request("POST", f"/apis/{AUTHORIZATION}/{kind.lower()}s", body=body)
    return (answer.get("status") or {}).get("allowed") is True


def _attributes(right: Right, namespace: str) -> dict[str, str]:
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "namespace": namespace if right.scope is Scope.INSTALLATION else "",
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "name": right.name,
    }
    return {key: value for key, value in attributes.items() if value}
