"""The API server: its verbs on objects of one kind, for all who read or write the cluster.

Objects are JSON mappings as they come, each with its ``apiVersion`` and ``kind``, which lists of
the server leave out.  Keeping a copy of a kind up to date is the task of ``reflector``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from autoscaler.errors import InvalidError
from autoscaler.kube.access import Access, access_from_environment
from autoscaler.kube.paging import Page, named, pages
from autoscaler.kube.resource import PODS, Resource
from autoscaler.kube.transport import JSON, Question, Transport, encoded
from autoscaler.kube.watch_stream import WatchStream

Object = Mapping[str, Any]
"""A Kubernetes object; never changed."""
TIMEOUT_S = 10.0
"""Of a request that names no other: from its beginning to the last byte, roughly."""
LIST_TIMEOUT_S = 60.0
"""Of one page: as long as the server itself works on a request."""
PAGE = 500
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
METADATA = f"{JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiServer:
    """One API server; thread-safe.  Every method that asks it raises a ``KubeError``."""

    def __init__(self, access: Access, *, user_agent: str) -> None:
        self._transport = Transport(access, user_agent=user_agent)

    @classmethod
    def from_environment(
        cls, *, kubeconfig: Path | None = None, context: str | None = None, user_agent: str
    ) -> Self:
        """Return the server of a kubeconfig, of ``KUBECONFIG``, of the user or of the pod.

        Raises ``UsageError`` that says what was looked for.  The server is not asked yet.
        """
        return cls(access_from_environment(kubeconfig, context), user_agent=user_agent)

    @property
    def url(self) -> str:
        """Return the address of the server."""
        return self._transport.access.url

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | Sequence[Any] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout_s: float = TIMEOUT_S,
    ) -> dict[str, Any]:
        """Return the object that answers a request of any kind."""
        question = Question(
            method=method,
            path=path,
            query=query or {},
            body=encoded(body),
            content_type=content_type,
            accept=accept,
        )
        return self._transport.exchange(question, timeout_s=timeout_s)

    def get(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        is_metadata_only: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> dict[str, Any]:
        """Return one object, or only its metadata."""
        accept = METADATA if is_metadata_only else JSON
        path = _path(resource, namespace, name)
        return named(resource, self.request("GET", path, accept=accept, timeout_s=timeout_s))

    def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        is_metadata_only: bool = False,
        page: int = PAGE,
    ) -> Iterator[Page]:
        """Iterate over (objects, ``resourceVersion``), page by page; a ``page`` of 0: all at once.

        Raises ``ExpiredError`` where the list must begin again.
        """
        path = _path(resource, namespace)
        accept = METADATA_LIST if is_metadata_only else JSON

        def ask(query: Mapping[str, str]) -> dict[str, Any]:
            return self.request("GET", path, query=query, accept=accept, timeout_s=LIST_TIMEOUT_S)

        return pages(resource, ask, _selecting(label_selector, field_selector), page)

    def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        is_metadata_only: bool = False,
        server_timeout_s: float,
        read_timeout_s: float,
    ) -> WatchStream:
        """Return the raw events ``{"type", "object"}`` after a version, bookmarks among them.

        The server ends the stream after ``server_timeout_s``; where nothing comes for
        ``read_timeout_s`` the next event is an ``ApiUnavailableError``.
        """
        question = Question(
            method="GET",
            path=_path(resource, namespace),
            query={
                **_selecting(label_selector, field_selector),
                "watch": "true",
                "allowWatchBookmarks": "true",
                "resourceVersion": resource_version,
                "timeoutSeconds": f"{server_timeout_s:.0f}",
            },
            accept=METADATA if is_metadata_only else JSON,
        )
        return WatchStream(self._transport, resource, question, read_timeout_s=read_timeout_s)

    def create(
        self,
        resource: Resource,
        obj: Object,
        *,
        namespace: str | None = None,
        is_dry_run: bool = False,
    ) -> dict[str, Any]:
        """Create an object, in its own namespace where none is given; return it as it became.

        Raises ``AlreadyExistsError`` among others.
        """
        metadata = obj.get("metadata") or {}
        path = _path(resource, namespace or metadata.get("namespace"))
        query = {"dryRun": "All"} if is_dry_run else {}
        return self.request("POST", path, query=query, body=obj)

    def replace(self, resource: Resource, obj: Object) -> dict[str, Any]:
        """Replace the object of the same name; return it as it became.

        Raises ``ConflictError`` where its ``resourceVersion`` is no longer that of ``obj``.
        """
        metadata = obj["metadata"]
        path = _path(resource, metadata.get("namespace"), metadata["name"])
        return self.request("PUT", path, body=obj)

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        grace_s: int | None = None,
    ) -> dict[str, Any]:
        """Delete an object; return its last state, or the server's ``Status``.

        Raises ``ConflictError`` where the object of this name has another ``uid``.
        """
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        return self.request("DELETE", _path(resource, namespace, name), body=options)

    def evict(self, name: str, namespace: str, *, uid: str) -> None:
        """Delete a pod with its own grace period, if its disruption budget allows that now.

        Raises ``DisruptionError`` where it does not, and ``ConflictError`` where the pod of this
        name has another ``uid``.
        """
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        self.request("POST", _path(PODS, namespace, name, "eviction"), body=eviction)

    def merge_patch(
        self,
        resource: Resource,
        name: str,
        patch: Object,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Patch an object as RFC 7396 says; return it as it became."""
        path = _path(resource, namespace, name, subresource)
        return self.request("PATCH", path, body=patch, content_type=MERGE_PATCH)

    def json_patch(
        self,
        resource: Resource,
        name: str,
        operations: Sequence[Object],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Patch an object by the operations of RFC 6902; return it as it became."""
        path = _path(resource, namespace, name, subresource)
        return self.request("PATCH", path, body=operations, content_type=JSON_PATCH)

    def strategic_patch(
        self,
        resource: Resource,
        name: str,
        patch: Object,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Patch an object of a built-in kind, lists by their keys; return it as it became."""
        path = _path(resource, namespace, name, subresource)
        return self.request("PATCH", path, body=patch, content_type=STRATEGIC_PATCH)

    def apply(
        self,
        resource: Resource,
        obj: Object,
        *,
        field_manager: str,
        subresource: str | None = None,
        is_forced: bool = True,
    ) -> dict[str, Any]:
        """Apply an object on the server; return it as it became.

        Where ``is_forced`` is not set, a field that another manager owns is a ``ConflictError``.
        """
        metadata = obj["metadata"]
        path = _path(resource, metadata.get("namespace"), metadata["name"], subresource)
        query = {"fieldManager": field_manager, "force": "true" if is_forced else "false"}
        return self.request("PATCH", path, query=query, body=obj, content_type=APPLY_PATCH)

    def close(self) -> None:
        """Close the connections that wait for a request; streams are closed by who reads them."""
        self._transport.access.close()


def _path(
    resource: Resource,
    namespace: str | None = None,
    name: str | None = None,
    subresource: str | None = None,
) -> str:
    if name is not None and resource.is_namespaced and not namespace:
        raise InvalidError(f"{resource.kind} {name!r}: its namespace is not given")
    return resource.path(
        _segment(resource, "namespace", namespace) if namespace else None,
        None if name is None else _segment(resource, "name", name),
        subresource,
    )


def _segment(resource: Resource, what: str, text: str) -> str:
    """Return a part of a path.  Raises ``InvalidError`` where it would lead to another object."""
    if text in {"", ".", ".."} or "/" in text or "%" in text:
        raise InvalidError(
            f"{resource.kind}: the {what} {text!r} is not allowed: it must not be empty, '.' or "
            "'..', nor hold '/' or '%'"
        )
    return quote(text, safe="")


def _selecting(label_selector: str, field_selector: str) -> dict[str, str]:
    selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {name: selector for name, selector in selectors.items() if selector}
