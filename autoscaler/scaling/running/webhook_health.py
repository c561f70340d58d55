"""Whether pods that start now would be admitted by the webhook, seen from outside of it.

A changed workload that cannot start its next pod, or starts it past admission, is worse off than an
unchanged one.  What is looked at is what the API server would use: the entries of the webhook
configuration, and a fresh TLS connection to every ready process, verified by the authorities that
stand in the entries.  No pod is created for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.errors import KubeError, NotFoundError
from autoscaler.kube.endpoint_probe import probe_all
from autoscaler.kube.webhook_endpoints import endpoints_of
from autoscaler.kube.webhook_entries import PODS_WEBHOOK, authorities_of
from autoscaler.kube.webhook_view import title_of

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.webhook_address import Address
    from autoscaler.kube.webhook_view import ProbeAll


class WebhookHealth:
    """Looks at the webhook of one installation, for one thread."""

    def __init__(self, api: ApiServer, address: Address, *, probe: ProbeAll = probe_all) -> None:
        self._api = api
        self._address = address
        self._probe = probe

    def problems(self) -> tuple[str, ...]:
        """Return why pods would not be admitted, one sentence each; nothing: they would be.

        One process that answers is enough, as a Service leads to it sooner or later; that others
        fail is then for the keeper of the certificate to tell.
        """
        try:
            return self._found()
        except KubeError as error:
            return (f"the webhook cannot be looked at: {error}",)

    def _found(self) -> tuple[str, ...]:
        title = title_of(PODS_WEBHOOK)
        try:
            live = self._api.get(PODS_WEBHOOK.configuration, PODS_WEBHOOK.configuration_name)
        except NotFoundError:
            return (f"{title} is not installed",)
        entries = live.get("webhooks") or ()
        if not entries:
            return (f"{title} has no entries, so pods are not admitted by the webhook",)
        trusted = [authority for entry in entries for authority in authorities_of(entry)]
        probes = self._probe(
            endpoints_of(self._api, self._address),
            server_name=self._address.server_name,
            trusted=tuple(dict.fromkeys(trusted)),
        )
        if any(probe.served is not None for probe in probes):
            return ()
        if not probes:
            return ("no webhook process is ready",)
        return tuple(
            f"webhook endpoint {host}, port {port}: {probe.error}"
            for probe in probes
            for host, port in (probe.endpoint,)
        )
