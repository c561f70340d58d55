"""Where the API server reaches the webhook: its Service, or a URL outside the cluster's network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from autoscaler.api.names import NAMESPACE, WEBHOOK_SERVICE
from autoscaler.errors import UsageError

CLUSTER_DOMAIN = "cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddress:
    """A Service, as an installation has it."""

    namespace: str = NAMESPACE
    name: str = WEBHOOK_SERVICE
    port: int = 443

    @property
    def server_name(self) -> str:
        """Return the name that the API server verifies."""
        return f"{self.name}.{self.namespace}.svc"

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that a serving certificate is for."""
        return self.server_name, f"{self.server_name}.{CLUSTER_DOMAIN}"

    def client_config(self, path: str, bundle: str) -> Mapping[str, Any]:
        """Return ``clientConfig`` of an entry; ``bundle`` are PEM certificates."""
        service = {
            "namespace": self.namespace,
            "name": self.name,
            "path": path,
            "port": self.port,
        }
        return {"service": service, "caBundle": _encoded(bundle)}


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlAddress:
    """A fixed URL without path, ``https://192.0.2.1:9443``.

    Raises ``UsageError`` for a URL that the API server would not accept.
    """

    url: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        stated = (parts.path, parts.query, parts.fragment, parts.username, parts.password)
        if parts.scheme != "https" or not parts.hostname or any(stated):
            raise UsageError(
                f"address of the webhook: {self.url!r} is not allowed; allowed: "
                "https://<host>:<port> without path, query or user"
            )

    @property
    def server_name(self) -> str:
        """Return the name, or IP address, that the API server verifies."""
        return urlsplit(self.url).hostname or ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that a serving certificate is for."""
        return (self.server_name,)

    def client_config(self, path: str, bundle: str) -> Mapping[str, Any]:
        """Return ``clientConfig`` of an entry; ``bundle`` are PEM certificates."""
        return {"url": f"{self.url}{path}", "caBundle": _encoded(bundle)}


Address = ServiceAddress | UrlAddress


def _encoded(bundle: str) -> str:
    return base64.b64encode(bundle.encode()).decode("ascii")
