"""What a webhook process serves on a fresh connection, verified as the API server verifies it.

Connections that stay open hide a certificate that is no longer trusted until they end; so each look
is a new connection, and nothing but the TLS handshake.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from autoscaler.kube.certificates import leaf_of
from autoscaler.kube.webhook_endpoints import Endpoint

TIMEOUT_S = 3.0
MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one endpoint answered."""

    endpoint: Endpoint
    served: str | None = None
    """PEM text of a certificate that was verified; None where there was none."""
    error: str = ""
    """Why there was none."""


def probe_endpoint(
    endpoint: Endpoint, *, server_name: str, trusted: Sequence[str], timeout_s: float = TIMEOUT_S
) -> Probe:
    """Connect once and return what was served, if ``trusted`` (PEM texts) verify it.

    Nothing is raised: an endpoint that does not answer is a result.
    """
    if not trusted:
        return Probe(endpoint=endpoint, error="no authority is known that could verify it")
    try:
        context = ssl.create_default_context(cadata="".join(trusted))
        # The API server takes any certificate of the bundle as an anchor, also an intermediate one.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with (
            socket.create_connection(endpoint, timeout=timeout_s) as connection,
            context.wrap_socket(connection, server_hostname=server_name) as secured,
        ):
            served = secured.getpeercert(binary_form=True)
    except (OSError, ValueError) as error:
        # Texts that OpenSSL cannot read, and names that no host has, are a ValueError.
        return Probe(endpoint=endpoint, error=_told(error))
    assert served is not None, "a verified server has a certificate"
    return Probe(endpoint=endpoint, served=leaf_of(ssl.DER_cert_to_PEM_cert(served)))


def probe_all(
    endpoints: Sequence[Endpoint], *, server_name: str, trusted: Sequence[str]
) -> tuple[Probe, ...]:
    """Probe endpoints beside one another; results are in their order."""
    if not endpoints:
        return ()

    def probe(endpoint: Endpoint) -> Probe:
        return probe_endpoint(endpoint, server_name=server_name, trusted=trusted)

    with ThreadPoolExecutor(min(len(endpoints), MOST_AT_ONCE)) as pool:
        return tuple(pool.map(probe, endpoints))


def _told(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not verified: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"no TLS connection: {error.reason.lower().replace('_', ' ')}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
