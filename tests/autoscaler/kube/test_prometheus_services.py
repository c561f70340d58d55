"""Which Service is taken for the cluster's metrics, by what common installations write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.label_selector import matches
from autoscaler.errors import ForbiddenError
from autoscaler.kube.prometheus_services import (
    KINDS,
    TIMEOUT_S,
    TLS_MARKS,
    discover,
    found_services,
    selectors,
)

NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"


def service(name, labels, *ports, namespace="monitoring", headless=False, annotations=None):
    """Return a Service; a port is a number, or (name, number)."""
    pairs = [port if isinstance(port, tuple) else ("", port) for port in ports]
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": labels,
            "annotations": annotations or {},
        },
        "spec": {
            "clusterIP": "None" if headless else "10.0.0.1",
            "ports": [{"name": title, "port": number} for title, number in pairs],
        },
    }


STACK = service(
    "kps-prometheus",
    {"app": "kube-prometheus-stack-prometheus"},
    ("http-web", 9090),
    ("reloader-web", 8080),
)
OPERATED = service(
    "prometheus-operated", {"operated-prometheus": "true"}, ("http-web", 9090), headless=True
)
KUBE_PROMETHEUS = service(
    "prometheus-k8s", {NAME: "prometheus", COMPONENT: "prometheus"}, ("web", 9090)
)
PLAIN = service("prometheus-server", {NAME: "prometheus", COMPONENT: "server"}, ("http", 80))
OLD_CHART = service("prometheus-server", {"app": "prometheus", "component": "server"}, 80)
THANOS = service("thanos-query", {NAME: "thanos-query"}, ("http", 9090), ("grpc", 10901))
THANOS_CHART = service("thanos-query", {NAME: "thanos", COMPONENT: "query"}, ("http", 9090))
VM_SINGLE = service("vmsingle-main", {NAME: "vmsingle"}, ("http", 8429))
VM_CHART = service("vm-server", {NAME: "victoria-metrics-single"}, ("http", 8428))
VM_SELECT = service("vmselect-main", {NAME: "vmselect"}, ("http", 8481))
VM_AUTH = service("vmauth-main", {NAME: "vmauth"}, ("http", 8427))
MIMIR_FRONTEND = service(
    "mimir-query-frontend", {NAME: "mimir", COMPONENT: "query-frontend"}, ("http-metrics", 8080)
)
MIMIR_GATEWAY = service(
    "mimir-gateway", {NAME: "mimir", COMPONENT: "gateway"}, ("http-metrics", 80)
)


@pytest.mark.parametrize(
    ("installed", "product", "url"),
    [
        (STACK, "Prometheus", "http://kps-prometheus.monitoring.svc:9090"),
        (OPERATED, "Prometheus", "http://prometheus-operated.monitoring.svc:9090"),
        (KUBE_PROMETHEUS, "Prometheus", "http://prometheus-k8s.monitoring.svc:9090"),
        (PLAIN, "Prometheus", "http://prometheus-server.monitoring.svc:80"),
        (OLD_CHART, "Prometheus", "http://prometheus-server.monitoring.svc:80"),
        (THANOS, "Thanos", "http://thanos-query.monitoring.svc:9090"),
        (THANOS_CHART, "Thanos", "http://thanos-query.monitoring.svc:9090"),
        (VM_SINGLE, "VictoriaMetrics", "http://vmsingle-main.monitoring.svc:8429"),
        (VM_CHART, "VictoriaMetrics", "http://vm-server.monitoring.svc:8428"),
        (
            VM_SELECT,
            "VictoriaMetrics",
            "http://vmselect-main.monitoring.svc:8481/select/0/prometheus",
        ),
        (VM_AUTH, "VictoriaMetrics (vmauth)", "http://vmauth-main.monitoring.svc:8427"),
        (
            MIMIR_FRONTEND,
            "Mimir",
            "http://mimir-query-frontend.monitoring.svc:8080/prometheus",
        ),
        (MIMIR_GATEWAY, "Mimir", "http://mimir-gateway.monitoring.svc:80/prometheus"),
    ],
    ids=lambda each: each["metadata"]["name"] if isinstance(each, dict) else None,
)
def test_usual_installations_are_found_with_port_and_path(installed, product, url):
    [found] = found_services([installed])

    assert (found.product, found.url) == (product, url)


def test_who_sees_more_servers_is_taken_first_and_who_asks_for_a_tenant_last():
    everything = [MIMIR_FRONTEND, VM_AUTH, STACK, VM_SINGLE, VM_SELECT, THANOS]

    found = found_services(everything)

    assert [each.name for each in found] == [
        "thanos-query",
        "vmselect-main",
        "vmsingle-main",
        "kps-prometheus",
        "mimir-query-frontend",
        "vmauth-main",
    ]


def test_the_operators_own_service_counts_only_where_there_is_no_other():
    assert [each.name for each in found_services([OPERATED, STACK])] == ["kps-prometheus"]


def test_other_parts_of_an_installation_are_not_taken():
    others = [
        service(
            "prometheus-alertmanager", {"app": "prometheus", "component": "alertmanager"}, 9093
        ),
        service("sidecar", {NAME: "prometheus", COMPONENT: "thanos-sidecar"}, ("http", 10902)),
        service("grafana", {NAME: "grafana"}, ("http", 80)),
        service("mimir-ingester", {NAME: "mimir", COMPONENT: "ingester"}, ("http-metrics", 8080)),
        service("unlabelled", None, 9090),
        service("without-ports", {NAME: "thanos-query"}),
    ]

    assert found_services(others) == ()


def test_a_service_that_serves_tls_is_not_taken():
    secured = service("thanos-querier", {NAME: "thanos-query"}, ("web", 9091))
    secured["metadata"]["annotations"] = {TLS_MARKS[0]: "tls"}

    assert found_services([secured]) == ()


def test_what_is_found_says_how_to_reach_it_from_outside():
    [found] = found_services([VM_SELECT])

    assert found.forwarded == (
        "kubectl -n monitoring port-forward svc/vmselect-main 8481:8481, and "
        "--prometheus-url http://127.0.0.1:8481/select/0/prometheus"
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(dict(kind.labels)))
def test_every_kind_of_the_table_is_listed_by_a_selector(kind):
    parts = [selector.partition(" in ") for selector in selectors()]
    listed = [
        {"matchExpressions": [{"key": key, "operator": "In", "values": values[1:-1].split(", ")}]}
        for key, _, values in parts
    ]

    assert any(matches(selector, kind.labels) for selector in listed)


@given(st.permutations([THANOS, STACK, OPERATED, VM_SINGLE, MIMIR_FRONTEND, MIMIR_GATEWAY]))
def test_the_choice_does_not_depend_on_the_order_of_the_list(services):
    names = [each.name for each in found_services(services)]

    assert names == [
        "thanos-query",
        "vmsingle-main",
        "kps-prometheus",
        "mimir-query-frontend",
        "mimir-gateway",
    ]


# ----- asking the cluster


class Services:
    """Answers lists by label selector."""

    def __init__(self, **found):
        self.found = found
        self.asked = []

    def request(self, method, path, *, query, timeout_s):
        self.asked.append((method, path, query["labelSelector"], timeout_s))
        label = query["labelSelector"].partition(" ")[0].rpartition("/")[2].replace("-", "_")
        return {"items": self.found.get(label)}


def test_services_of_all_namespaces_are_listed_by_a_few_selectors():
    api = Services()

    assert discover(api) == ()
    assert api.asked == [
        ("GET", "/api/v1/services", selector, TIMEOUT_S) for selector in selectors()
    ]
    assert len(api.asked) < 5


def test_what_several_selectors_find_is_put_into_one_order():
    api = Services(name=[THANOS], app=[STACK])

    assert [each.product for each in discover(api)] == ["Thanos", "Prometheus"]


def test_a_service_that_two_selectors_find_counts_once():
    api = Services(name=[THANOS], app=[THANOS])

    assert len(discover(api)) == 1


def test_a_missing_right_is_told():
    class Forbidding(Services):
        def request(self, method, path, *, query, timeout_s):
            raise ForbiddenError("403: no")

    with pytest.raises(ForbiddenError):
        discover(Forbidding())
