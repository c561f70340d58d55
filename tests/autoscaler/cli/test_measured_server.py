"""Which Prometheus a command asks: the one that is named, else one of the cluster."""

import copy
from pathlib import Path

import pytest

from autoscaler.cli.measured_server import choice_text, server_of
from autoscaler.cli.prometheus_flags import PrometheusFlags
from autoscaler.errors import ApiUnavailableError, ForbiddenError, UsageError
from autoscaler.kube.prometheus_services import FoundService, found_services
from autoscaler.prometheus_settings import PrometheusSettings
from tests.autoscaler.kube.kubeconfigs import kubeconfig
from tests.autoscaler.kube.test_prometheus_services import STACK, THANOS, VM_SINGLE

NAMED = PrometheusSettings(url="http://named:9090")
AUTO = PrometheusFlags(url="auto")


class Cluster:
    """Lists these Services, or raises."""

    def __init__(self, *services, error=None):
        self.services = services
        self.error = error
        self.is_asked = False

    def request(self, method, path, *, query, timeout_s):
        self.is_asked = True
        if self.error is not None:
            raise self.error
        return {"items": list(self.services)}


def server(settings=None, flags=None, *, api, **others):
    notes = []
    found = server_of(settings, flags or PrometheusFlags(), note=notes.append, api=api, **others)
    return found.url, notes


def test_a_named_server_is_asked_and_the_cluster_is_not():
    cluster = Cluster(STACK)

    assert server(NAMED, api=cluster) == ("http://named:9090", [])
    assert not cluster.is_asked


def test_without_a_name_the_one_of_the_cluster_is_asked_and_named():
    url, [note] = server(api=Cluster(STACK))

    assert url == "http://kps-prometheus.monitoring.svc:9090"
    assert note.startswith(f"metrics are read from Prometheus monitoring/kps-prometheus at {url}")


def test_auto_looks_for_it_whatever_the_settings_name():
    url, _ = server(NAMED, AUTO, api=Cluster(STACK))

    assert url == "http://kps-prometheus.monitoring.svc:9090"


def test_other_settings_hold_for_the_server_that_is_found():
    settings = PrometheusSettings(access={"query_timeout_s": 7.0})

    found = server_of(settings, PrometheusFlags(), note=lambda _: None, api=Cluster(STACK))

    assert found.connection.query_timeout_s == 7.0


def test_of_several_the_first_is_taken_and_the_others_are_named():
    url, [note] = server(api=Cluster(STACK, THANOS, VM_SINGLE))

    assert url == "http://thanos-query.monitoring.svc:9090"
    assert "VictoriaMetrics monitoring/vmsingle-main (http://vmsingle-main.mon" in note
    assert "Prometheus monitoring/kps-prometheus" in note
    assert "--prometheus-url chooses" in note


def test_where_nobody_chooses_servers_of_several_namespaces_are_none():
    forged = copy.deepcopy(THANOS)
    forged["metadata"]["namespace"] = "a-tenant"

    with pytest.raises(UsageError, match=r"several namespaces.*a-tenant/.*monitoring/kps-prom"):
        server(api=Cluster(STACK, forged), is_unattended=True)
    url, _ = server(api=Cluster(STACK, THANOS), is_unattended=True)
    assert url == "http://thanos-query.monitoring.svc:9090"


@pytest.mark.parametrize(
    "credential",
    [
        {"bearer_token_file": Path("token")},
        {"basic_user": "me", "basic_password_file": Path("password")},
        {"header_files": {"X-Key": Path("key")}},
    ],
)
def test_credentials_are_never_sent_to_a_server_that_only_has_the_labels(credential):
    cluster = Cluster(STACK)

    with pytest.raises(UsageError, match=r"--prometheus-url URL.*credentials are given"):
        server(PrometheusSettings(access=credential), api=cluster)
    assert not cluster.is_asked


def test_from_outside_of_the_cluster_the_way_in_is_said():
    [found] = found_services([STACK])

    assert "port-forward svc/kps-prometheus 9090:9090" in choice_text([found], is_in_cluster=False)
    assert "port-forward" not in choice_text([found], is_in_cluster=True)


def test_many_others_are_counted():
    many = [
        FoundService(product="Prometheus", namespace="n", name=f"p{i}", port=9090) for i in range(9)
    ]

    assert " and 3 more: --prometheus-url chooses" in choice_text(many, is_in_cluster=True)


def test_a_cluster_without_one_says_what_was_looked_for():
    with pytest.raises(UsageError, match=r"no Prometheus is named.*no Service of the cluster"):
        server(api=Cluster())


def test_a_missing_right_is_named_beside_what_could_be_given_instead():
    cluster = Cluster(error=ForbiddenError("403: no"))

    with pytest.raises(UsageError, match=r"--prometheus-url URL.*right to list services.*403"):
        server(api=cluster)


def test_a_cluster_that_cannot_be_asked_ends_the_search_that_was_asked_for():
    with pytest.raises(ApiUnavailableError):
        server(flags=AUTO, api=Cluster(error=ApiUnavailableError("connection refused")))


def test_a_command_that_takes_files_names_that_way_too():
    with pytest.raises(UsageError, match=r"no usage is named: give --from USAGE"):
        server(api=Cluster(), is_file_possible=True)


def test_without_any_cluster_it_says_where_it_looked(tfa, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "TFA_PROMETHEUS_URL"):
        monkeypatch.delenv(variable, raising=False)

    ended = tfa("report")

    assert (ended.code, ended.out) == (2, "")
    assert "no usage is named: give --from USAGE, or a server by --prometheus-url" in ended.err
    assert "the variable KUBECONFIG is not set" in ended.err


def test_a_cluster_that_is_down_does_not_hide_what_could_be_given(tfa, monkeypatch, tmp_path):
    path = kubeconfig(tmp_path / "config", token="t")
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.delenv("TFA_PROMETHEUS_URL", raising=False)

    ended = tfa("report")

    assert ended.code == 2
    assert "no usage is named" in ended.err
    assert "https://127.0.0.1:1" in ended.err
