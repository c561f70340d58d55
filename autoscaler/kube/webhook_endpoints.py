"""Where the processes of the webhook are: behind its Service, or at its one URL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from autoscaler.kube.resource import ENDPOINT_SLICES
from autoscaler.kube.webhook_address import Address, UrlAddress

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

Endpoint = tuple[str, int]
"""IP address, or host name, and port."""
SERVICE_LABEL = "kubernetes.io/service-name"
PORT_NAME = "https"


def ready_endpoints(slices: Iterable[Mapping[str, Any]]) -> tuple[Endpoint, ...]:
    """Return the ready addresses with the port of the webhook, each once, sorted.

    An endpoint that says nothing of its readiness counts as ready, as the API defines it.
    """
    found = set()
    for piece in slices:
        for port in piece.get("ports") or ():
            if port.get("name") != PORT_NAME or not port.get("port"):
                continue
            for endpoint in piece.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready") is not False:
                    found |= {(address, port["port"]) for address in endpoint["addresses"]}
    return tuple(sorted(found))


def endpoints_of(api: ApiServer, address: Address) -> tuple[Endpoint, ...]:
    """Return the ready endpoints of a Service, or that of a URL.  Raises ``KubeError``."""
    if isinstance(address, UrlAddress):
        return ((address.server_name, address.port),)
    pages = api.pages(
        ENDPOINT_SLICES,
        namespace=address.namespace,
        label_selector=f"{SERVICE_LABEL}={address.name}",
    )
    return ready_endpoints(piece for pieces, _ in pages for piece in pieces)
