"""Whether pods are admitted: the entries of the webhook configurations, and who answers there.

Endpoints are asked by a fresh TLS connection, as connections that stay open hide a certificate that
is no longer trusted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from autoscaler.checking.issuing import issuing_hindrance
from autoscaler.errors import NotFoundError
from autoscaler.findings import Finding, Status
from autoscaler.kube.access import IN_A_POD
from autoscaler.kube.certificates import validity_s
from autoscaler.kube.endpoint_probe import Probe, probe_all
from autoscaler.kube.webhook_address import HTTPS_PORT, ServiceAddress
from autoscaler.kube.webhook_endpoints import Endpoint, endpoints_of
from autoscaler.kube.webhook_entries import WEBHOOKS, Entry, authorities_of
from autoscaler.kube.webhook_view import title_of
from autoscaler.sources.timestamps import iso

if TYPE_CHECKING:
    from autoscaler.checking.issuing import Hindrance
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.webhook_entries import Webhook

ENTRIES, CERTIFICATE = "webhook-entries", "webhook-certificate"
SOON_S = 7 * 86_400
"""A certificate that ends so soon should have been renewed long ago."""


def check_webhook(
    api: ApiServer, *, namespace: str, now_s: float, is_installed: bool
) -> tuple[Finding, ...]:
    """Return what is known of the entries and of the certificate.  Raises ``KubeError``."""
    found = {title_of(webhook): _entries(api, webhook) for webhook in WEBHOOKS}
    if not is_installed and not any(found.values()):
        text = "No webhook is installed: pods start with what they declare."
        return tuple(
            Finding(check=check, status=Status.SKIPPED, text=text)
            for check in (ENTRIES, CERTIFICATE)
        )
    is_waiting = () in found.values()
    hindrance = issuing_hindrance(api, namespace) if is_waiting else None
    return _entries_finding(found, hindrance), _certificate_finding(api, found, now_s)


def _entries(api: ApiServer, webhook: Webhook) -> tuple[Entry, ...] | None:
    """Return the entries of a configuration; None where there is no such configuration."""
    try:
        live = api.get(webhook.configuration, webhook.configuration_name)
    except NotFoundError:
        return None
    return tuple(live.get("webhooks") or ())


def _entries_finding(
    found: Mapping[str, tuple[Entry, ...] | None], hindrance: Hindrance | None
) -> Finding:
    missing = tuple(title for title, entries in found.items() if entries is None)
    empty = tuple(title for title, entries in found.items() if entries == ())
    if missing:
        return Finding(
            check=ENTRIES,
            status=Status.FAILED,
            text="Webhook configurations are not applied.",
            next_step="Apply deploy/kustomize; the controller fills them.",
            subjects=missing,
        )
    if empty:
        text = (
            "Webhook configurations have no entry, so that the API server asks nobody: pods start "
            "unlimited, and workloads are not made."
        )
        next_step = (
            "The leading controller fills them once its webhooks verify: look at its log, and at "
            "webhook-certificate and leader-controller here."
        )
        return Finding(
            check=ENTRIES,
            status=Status.FAILED,
            text=text if hindrance is None else f"{text} {hindrance.text}",
            next_step=next_step if hindrance is None else hindrance.next_step,
            subjects=empty,
        )
    return Finding(
        check=ENTRIES, status=Status.OK, text=f"All {len(found)} configurations have their entry."
    )


def _certificate_finding(
    api: ApiServer, found: Mapping[str, tuple[Entry, ...] | None], now_s: float
) -> Finding:
    entry = next((entries[0] for entries in found.values() if entries), None)
    if entry is None:
        text = "No entry says where the webhook is."
        return Finding(check=CERTIFICATE, status=Status.SKIPPED, text=text)
    endpoints, server_name, is_service = _where(api, entry["clientConfig"])
    if not endpoints:
        return Finding(
            check=CERTIFICATE,
            status=Status.FAILED,
            text=f"No process is ready behind {server_name}: new pods with our label are refused.",
            next_step="Look at the pods of the webhook, and at /readyz of each.",
        )
    probes = probe_all(endpoints, server_name=server_name, trusted=authorities_of(entry))
    # From outside of the cluster's network a Service's endpoints cannot be reached at all.
    is_outside = is_service and not os.environ.get(IN_A_POD)
    return _probed(probes, server_name, now_s, is_outside=is_outside)


def _where(
    api: ApiServer, client_config: Mapping[str, Any]
) -> tuple[tuple[Endpoint, ...], str, bool]:
    """Return endpoints, the name that is verified, and whether they stand behind a Service."""
    service = client_config.get("service")
    if service:
        address = ServiceAddress(namespace=service["namespace"], name=service["name"])
        return endpoints_of(api, address), address.server_name, True
    parts = urlsplit(str(client_config.get("url") or ""))
    host = parts.hostname or ""
    return ((host, parts.port or HTTPS_PORT),), host, False


def _probed(
    probes: tuple[Probe, ...], server_name: str, now_s: float, *, is_outside: bool
) -> Finding:
    refused = [probe for probe in probes if probe.served is None]
    distrusted = [probe for probe in refused if "certificate" in probe.error]
    if refused and not distrusted and is_outside and len(refused) == len(probes):
        return Finding(
            check=CERTIFICATE,
            status=Status.SKIPPED,
            text=f"The {len(probes)} endpoints behind {server_name} cannot be reached from "
            "outside of the cluster.",
            next_step="Run tfa check in a pod of the cluster to look at their certificate.",
        )
    if refused:
        return Finding(
            check=CERTIFICATE,
            status=Status.FAILED,
            text=f"{len(refused)} of {len(probes)} endpoints behind {server_name} serve nothing "
            f"that the API server trusts; {_named(refused[0])}: {refused[0].error}.",
            next_step="Look at the log of the webhook, and of the controller, which renews the "
            "certificate.",
            subjects=tuple(map(_named, refused)),
        )
    ends_s = min(validity_s(probe.served)[1] for probe in probes if probe.served)
    is_old = ends_s - now_s < SOON_S
    return Finding(
        check=CERTIFICATE,
        status=Status.WARNING if is_old else Status.OK,
        text=f"{len(probes)} of {len(probes)} endpoints behind {server_name} serve a certificate "
        f"that the API server trusts, until {iso(int(ends_s))}.",
        next_step="The controller renews it long before: look at its log." if is_old else "",
    )


def _named(probe: Probe) -> str:
    host, port = probe.endpoint
    return f"{host}:{port}"
