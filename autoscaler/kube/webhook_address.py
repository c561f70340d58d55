"""Where the API server reaches the webhook: its Service, or a URL outside the cluster's network."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from autoscaler.api.names import NAMESPACE, WEBHOOK_SERVICE
from autoscaler.errors import UsageError

CLUSTER_DOMAIN = "cluster.local"
HTTPS_PORT = 443
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
LONGEST_HOST = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddress:
    """A Service, as an installation has it."""

    namespace: str = NAMESPACE
    name: str = WEBHOOK_SERVICE
    port: int = HTTPS_PORT

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
        if not _is_address(self.url):
            raise UsageError(
                f"address of the webhook: {self.url!r} is not allowed; allowed: "
                "https://<host>:<port> without path, query or user"
            )

    @property
    def server_name(self) -> str:
        """Return the name, or IP address, that the API server verifies."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Return the port."""
        return urlsplit(self.url).port or HTTPS_PORT

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that a serving certificate is for."""
        return (self.server_name,)

    def client_config(self, path: str, bundle: str) -> Mapping[str, Any]:
        """Return ``clientConfig`` of an entry; ``bundle`` are PEM certificates."""
        return {"url": f"{self.url}{path}", "caBundle": _encoded(bundle)}


Address = ServiceAddress | UrlAddress


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    stated = (parts.path, parts.query, parts.fragment, parts.username, parts.password)
    return parts.scheme == "https" and not any(stated) and port != 0 and _is_host(host)


def _is_host(text: str) -> bool:
    """Return whether a certificate can be for this name or address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= LONGEST_HOST and HOST.fullmatch(text) is not None
    return True


def _encoded(bundle: str) -> str:
    return base64.b64encode(bundle.encode()).decode("ascii")
