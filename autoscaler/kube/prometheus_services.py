"""Which Services of a cluster answer the Prometheus API, by the labels of common installations.

The table holds what the usual operators and charts write.  Of several Services the first by the
order of the table is taken: who sees all servers, and remembers longest, stands before a single
Prometheus; who asks for a tenant or a login stands last.  The servers themselves are not asked:
whether one has the right series is seen by whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.kube.resource import SERVICES

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

TIMEOUT_S = 5.0
"""Of one list: few Services have such labels, and a person waits."""
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
PLAIN_PORT_NAMES = ("http-web", "http", "web", "http-metrics", "http-query")
"""Names of the ports that serve the API without TLS."""
TLS_MARKS = (
    "service.beta.openshift.io/serving-cert-secret-name",
    "service.alpha.openshift.io/serving-cert-secret-name",
)
"""Annotations of Services that serve TLS, and then ask for a token too."""
HEADLESS = "None"
FIRST_FREE_PORT, USUAL_PORT = 1024, 9090
"""Lower ones need rights on the machine that forwards to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKind:
    """One kind of server, as one installation labels its Service."""

    product: str
    """As people call it."""
    labels: Mapping[str, str]
    """All of them; the first one is what is listed by."""
    ports: tuple[int, ...]
    """Numbers that count where no port has one of the usual names."""
    path: str = ""
    """What stands between the port and ``/api/v1``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundService:
    """A Service that answers the Prometheus API, as far as its labels tell."""

    product: str
    namespace: str
    name: str
    port: int
    path: str = ""

    @property
    def url(self) -> str:
        """Return the address within the cluster."""
        return f"http://{self.name}.{self.namespace}.svc:{self.port}{self.path}"

    @property
    def title(self) -> str:
        """Return what it is and where."""
        return f"{self.product} {self.namespace}/{self.name}"

    @property
    def forwarded(self) -> str:
        """Return what makes it reachable at a machine outside of the cluster."""
        local = self.port if self.port >= FIRST_FREE_PORT else USUAL_PORT
        return (
            f"kubectl -n {self.namespace} port-forward svc/{self.name} {local}:{self.port}, and "
            f"--prometheus-url http://127.0.0.1:{local}{self.path}"
        )


def _kind(product: str, labels: Mapping[str, str], *ports: int, path: str = "") -> ServiceKind:
    return ServiceKind(product=product, labels=labels, ports=ports, path=path)


SELECT, MIMIR = "/select/0/prometheus", "/prometheus"
KINDS: tuple[ServiceKind, ...] = (
    _kind("Thanos", {NAME: "thanos-query-frontend"}, 9090, 10902),
    _kind("Thanos", {NAME: "thanos", COMPONENT: "query-frontend"}, 9090, 10902),
    _kind("Thanos", {NAME: "thanos-query"}, 9090, 10902),
    _kind("Thanos", {NAME: "thanos", COMPONENT: "query"}, 9090, 10902),
    _kind("Thanos", {"app": "thanos-query"}, 9090, 10902),
    _kind("Thanos", {"app": "thanos-querier"}, 9090, 10902),
    _kind("VictoriaMetrics", {NAME: "vmselect"}, 8481, path=SELECT),
    _kind("VictoriaMetrics", {"app": "vmselect"}, 8481, path=SELECT),
    _kind("VictoriaMetrics", {NAME: "vmsingle"}, 8428, 8429),
    _kind("VictoriaMetrics", {NAME: "victoria-metrics-single"}, 8428),
    _kind("Prometheus", {"app": "kube-prometheus-stack-prometheus"}, 9090),
    _kind("Prometheus", {NAME: "prometheus", COMPONENT: "prometheus"}, 9090),
    _kind("Prometheus", {NAME: "prometheus", COMPONENT: "server"}, 80, 9090),
    _kind("Prometheus", {"app": "rancher-monitoring-prometheus"}, 9090),
    _kind("Prometheus", {"app": "prometheus", "component": "server"}, 80, 9090),
    _kind("Prometheus", {"app": "prometheus-server"}, 80, 9090),
    _kind("Prometheus", {"operated-prometheus": "true"}, 9090),
    _kind("Prometheus", {NAME: "prometheus"}, 9090),
    _kind("Prometheus", {"app": "prometheus"}, 9090),
    _kind("Mimir", {NAME: "mimir", COMPONENT: "query-frontend"}, 8080, path=MIMIR),
    _kind("Mimir", {NAME: "mimir", COMPONENT: "gateway"}, 80, 8080, path=MIMIR),
    _kind("Mimir", {NAME: "mimir", COMPONENT: "nginx"}, 80, 8080, path=MIMIR),
    _kind("VictoriaMetrics (vmauth)", {NAME: "vmauth"}, 8427),
)
"""In the order in which they are taken."""
OTHER_COMPONENTS = frozenset(
    {
        "alertmanager",
        "kube-state-metrics",
        "metrics",
        "node-exporter",
        "operator",
        "pushgateway",
        "thanos-sidecar",
    }
)
"""Parts of an installation that share its name and answer no queries."""


def discover(api: ApiServer) -> tuple[FoundService, ...]:
    """Return the Services of all namespaces that answer the Prometheus API, best first.

    Needs the right to list Services of all namespaces.  Raises ``KubeError``.
    """
    services: list[dict[str, Any]] = []
    for selector in selectors():
        query = {"labelSelector": selector}
        answer = api.request("GET", SERVICES.path(), query=query, timeout_s=TIMEOUT_S)
        services += answer.get("items") or ()
    return found_services(services)


def selectors() -> tuple[str, ...]:
    """Return the label selectors that together find every Service of the table."""
    values: dict[str, dict[str, None]] = {}
    for kind in KINDS:
        label, value = next(iter(kind.labels.items()))
        values.setdefault(label, {})[value] = None
    return tuple(f"{label} in ({', '.join(known)})" for label, known in values.items())


def found_services(services: Iterable[Mapping[str, Any]]) -> tuple[FoundService, ...]:
    """Return the Services that answer the Prometheus API, each once, the one to take first.

    Services that serve TLS are left out, as they ask for a token and an authority of their own.  A
    Service without an address of its own counts only where its namespace has none with one: an
    operator makes such a Service beside the usual one.
    """
    ranked = []
    for service in services:
        rank = _rank(service)
        port = None if rank is None else _port(service, KINDS[rank])
        if rank is None or port is None or _serves_tls(service):
            continue
        found = FoundService(
            product=KINDS[rank].product,
            namespace=service["metadata"]["namespace"],
            name=service["metadata"]["name"],
            port=port,
            path=KINDS[rank].path,
        )
        ranked.append((rank, found, _is_headless(service)))
    addressed = {
        (found.product, found.namespace) for _, found, is_headless in ranked if not is_headless
    }
    kept = {
        (rank, found)
        for rank, found, is_headless in ranked
        if not is_headless or (found.product, found.namespace) not in addressed
    }
    ordered = sorted(kept, key=lambda each: (each[0], each[1].namespace, each[1].name))
    return tuple(found for _, found in ordered)


def _rank(service: Mapping[str, Any]) -> int | None:
    labels = service["metadata"].get("labels") or {}
    if labels.get(COMPONENT) in OTHER_COMPONENTS or labels.get("component") in OTHER_COMPONENTS:
        return None
    matching = (rank for rank, kind in enumerate(KINDS) if kind.labels.items() <= labels.items())
    return next(matching, None)


def _port(service: Mapping[str, Any], kind: ServiceKind) -> int | None:
    ports = (service.get("spec") or {}).get("ports") or ()
    by_name = {port.get("name"): int(port["port"]) for port in ports}
    named = next((by_name[name] for name in PLAIN_PORT_NAMES if name in by_name), None)
    numbers = set(by_name.values())
    numbered = next((number for number in kind.ports if number in numbers), None)
    return named if named is not None else numbered


def _is_headless(service: Mapping[str, Any]) -> bool:
    return (service.get("spec") or {}).get("clusterIP") == HEADLESS


def _serves_tls(service: Mapping[str, Any]) -> bool:
    annotations = service["metadata"].get("annotations") or {}
    return any(mark in annotations for mark in TLS_MARKS)
