"""What the webhook configurations are to hold: pure, over what one run sees.

An empty configuration lets everything pass, a filled one stops pods where nobody answers.  So an
entry comes when enough endpoints were verified, and stays, unless the installation wants to be open
when none was for long.
"""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.api.names import CERTIFICATE_SECRET
from autoscaler.kube.certificates import leaf_of
from autoscaler.kube.webhook_address import Address
from autoscaler.kube.webhook_entries import Entry, entry_of
from autoscaler.kube.webhook_view import Configuration, WebhookView


def bundle_for(view: WebhookView, *, is_external: bool) -> tuple[str, ...]:
    """Return the authorities that entries are to carry; none: entries stay as they are.

    Who writes the Secret from outside leaves no overlap in it.  So what the entries carry stays
    until an endpoint is known and all serve the Secret's certificate.
    """
    stored = view.stored
    if not is_external or not stored.authorities:
        return stored.authorities
    leaf = leaf_of(stored.serving.certificate) if stored.serving is not None else ""
    if view.probes and all(probe.served == leaf for probe in view.probes):
        return stored.authorities
    carried = (authority for entry in view.carried for authority in entry)
    return tuple(dict.fromkeys((*stored.authorities, *carried)))


def wanted_entries(
    configuration: Configuration,
    address: Address,
    bundle: Sequence[str],
    *,
    namespace: str,
    is_safe: bool,
    is_opening: bool,
) -> list[Entry]:
    """Return the entries that a configuration is to have.

    ``is_safe``: enough endpoints were verified to fill an empty one.  ``is_opening``: none was for
    so long that the webhook is to be left out.
    """
    if is_opening:
        return []
    if not bundle or not (configuration.entries or is_safe):
        return configuration.entries
    return [entry_of(configuration.webhook, address, "".join(bundle), namespace=namespace)]


def problems_of(
    view: WebhookView, *, namespace: str, needed_endpoints: int, is_external: bool
) -> tuple[str, ...]:
    """Return what hinders, one sentence each."""
    problems = [f"{title} is not installed" for title in view.missing]
    if is_external and not view.stored.authorities:
        lacks = "does not exist" if view.secret is None else "has no certificates in ca.crt"
        problems.append(
            f"Secret {namespace}/{CERTIFICATE_SECRET} {lacks}, and it is somebody else who "
            "writes it"
        )
    for probe in view.probes:
        if probe.error:
            host, port = probe.endpoint
            problems.append(f"webhook endpoint {host}, port {port}: {probe.error}")
    if view.verified < needed_endpoints:
        problems.append(
            f"{view.verified} of {len(view.probes)} known webhook endpoints verified; "
            f"{needed_endpoints} are needed before a configuration is filled"
        )
    return tuple(problems)
