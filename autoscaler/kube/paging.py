"""Long lists, page by page.

A page at a time bounds the memory of both sides, and a server answers it from one consistent
version.  Where that version was dropped in between, the server says so by 410.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.resource import Resource

Page = tuple[list[dict[str, Any]], str]
"""Objects, and the ``resourceVersion`` of the whole list."""


def pages(
    resource: Resource,
    ask: Callable[[Mapping[str, str]], dict[str, Any]],
    query: Mapping[str, str],
    page: int,
) -> Iterator[Page]:
    """Yield the pages of a list, of ``page`` objects each; 0: all at once.

    ``ask`` sends one request with a query.  Raises a ``KubeError``: an ``ExpiredError`` where the
    list must begin again.
    """
    now = {**query, "limit": str(page)} if page else dict(query)
    while True:
        answer = ask(now)
        metadata, items = answer.get("metadata"), answer.get("items")
        if not isinstance(metadata, dict) or not isinstance(items or [], list):
            kind = answer.get("kind")
            raise ApiUnavailableError(f"{resource.plural}: the answer is a {kind!r} and no list")
        version = str(metadata.get("resourceVersion") or "")
        yield [named(resource, item) for item in items or []], version
        rest = metadata.get("continue")
        if not rest:
            return
        now["continue"] = rest


def named(resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
    """Make an object say its kind, also where it is an item of a list, or metadata alone."""
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    return obj
