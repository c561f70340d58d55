"""Who uses a WorkloadProfile: a change of it counts for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from autoscaler.api.names import AMOUNT_KEYS, PREFIX
from autoscaler.errors import NotFoundError
from autoscaler.kube.resource import WORKLOADS

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer


Own = Mapping[str, Mapping[str, str]]
"""Workload to annotations."""


class ProfileUse:
    """The users of profiles, read once for each namespace."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._workloads: dict[str, list[Mapping[str, Any]]] = {}

    def users(self, namespace: str, profile: str, keys: Iterable[str]) -> frozenset[str]:
        """Return the workloads for which one of these amounts comes from the profile.

        Workloads that state the amounts by annotation are not among them.  Raises ``KubeError``.
        """
        wanted = frozenset(keys)
        return frozenset(
            str(workload["metadata"]["name"])
            for workload in self._in(namespace)
            if _takes(workload, profile, wanted)
        )

    def own_annotations(self, namespace: str, profile: str, keys: Iterable[str]) -> Own:
        """Return, for each of these users, the amounts that it has from elsewhere, as annotations.

        Raises ``KubeError``.
        """
        wanted = frozenset(keys)
        return {
            str(workload["metadata"]["name"]): _from_elsewhere(workload, profile)
            for workload in self._in(namespace)
            if _takes(workload, profile, wanted)
        }

    def _in(self, namespace: str) -> list[Mapping[str, Any]]:
        if namespace not in self._workloads:
            try:
                pages = self._api.pages(WORKLOADS, namespace=namespace)
                self._workloads[namespace] = [each for objects, _ in pages for each in objects]
            except NotFoundError:
                self._workloads[namespace] = []
        return self._workloads[namespace]


def _from_elsewhere(workload: Mapping[str, Any], profile: str) -> dict[str, str]:
    effective = (workload.get("status") or {}).get("effective") or {}
    return {
        f"{PREFIX}{key}": str(effective[key].get("value"))
        for key in AMOUNT_KEYS
        if key in effective and effective[key].get("source") != f"profile {profile}"
    }


def _takes(workload: Mapping[str, Any], profile: str, keys: frozenset[str]) -> bool:
    effective = (workload.get("status") or {}).get("effective") or {}
    return any(
        key in keys and (setting or {}).get("source") == f"profile {profile}"
        for key, setting in effective.items()
    )
