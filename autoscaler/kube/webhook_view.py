"""All that one run of the certificate keeper sees: Secret, configurations, and what is served."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from autoscaler.api.names import CERTIFICATE_SECRET
from autoscaler.errors import NotFoundError
from autoscaler.kube.certificate_secret import StoredCertificates, read_stored
from autoscaler.kube.endpoint_probe import Probe
from autoscaler.kube.resource import SECRETS, Resource
from autoscaler.kube.webhook_endpoints import Endpoint
from autoscaler.kube.webhook_entries import WEBHOOKS, Entry, Webhook, authorities_of

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer


class ProbeAll(Protocol):
    """``endpoint_probe.probe_all``, or what stands for it in a test."""

    def __call__(
        self, endpoints: Sequence[Endpoint], *, server_name: str, trusted: Sequence[str]
    ) -> tuple[Probe, ...]:
        """Return what each endpoint serves."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """An installed webhook configuration."""

    webhook: Webhook
    live: Mapping[str, Any]
    """As it was read."""

    @property
    def title(self) -> str:
        """Return kind and name."""
        return title_of(self.webhook)

    @property
    def entries(self) -> list[Entry]:
        """Return what stands in ``webhooks``."""
        return list(self.live.get("webhooks") or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookView:
    """What stands at one moment, as far as one moment can be read."""

    secret: Mapping[str, Any] | None
    """None: there is none."""
    stored: StoredCertificates
    """What the Secret holds."""
    configurations: tuple[Configuration, ...]
    probes: tuple[Probe, ...]
    """One for each known endpoint."""

    @property
    def carried(self) -> tuple[tuple[str, ...], ...]:
        """Return the authorities of each entry."""
        return carried_by(self.configurations)

    @property
    def verified(self) -> int:
        """Return how many endpoints serve a certificate that is trusted."""
        return sum(probe.served is not None for probe in self.probes)

    @property
    def missing(self) -> tuple[str, ...]:
        """Return kind and name of the configurations that are not installed."""
        there = {configuration.title for configuration in self.configurations}
        return tuple(title for title in map(title_of, WEBHOOKS) if title not in there)

    @property
    def is_filled(self) -> bool:
        """Return whether all configurations have entries."""
        return not self.missing and all(one.entries for one in self.configurations)


def look(
    api: ApiServer,
    *,
    namespace: str,
    server_name: str,
    endpoints: Callable[[], Sequence[Endpoint]],
    probe: ProbeAll,
) -> WebhookView:
    """Read everything, then connect to every endpoint.  Raises ``KubeError``."""
    secret = _found(api, SECRETS, CERTIFICATE_SECRET, namespace)
    stored = read_stored(secret)
    configurations = []
    for webhook in WEBHOOKS:
        live = _found(api, webhook.configuration, webhook.configuration_name)
        if live is not None:
            configurations.append(Configuration(webhook=webhook, live=live))
    known = (
        *stored.authorities,
        *(authority for entry in carried_by(configurations) for authority in entry),
    )
    return WebhookView(
        secret=secret,
        stored=stored,
        configurations=tuple(configurations),
        probes=probe(endpoints(), server_name=server_name, trusted=tuple(dict.fromkeys(known))),
    )


def carried_by(configurations: Sequence[Configuration]) -> tuple[tuple[str, ...], ...]:
    """Return the authorities of each entry of these configurations."""
    return tuple(
        authorities_of(entry) for configuration in configurations for entry in configuration.entries
    )


def title_of(webhook: Webhook) -> str:
    """Return kind and name of the configuration of a webhook."""
    return f"{webhook.configuration.kind} {webhook.configuration_name}"


def _found(
    api: ApiServer, resource: Resource, name: str, namespace: str | None = None
) -> Mapping[str, Any] | None:
    try:
        return api.get(resource, name, namespace)
    except NotFoundError:
        return None
