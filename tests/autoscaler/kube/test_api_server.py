"""The transport before small servers on this machine; its verbs are tried on a real API server."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from autoscaler.errors import (
    ApiUnavailableError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import CONFIG_MAPS, NODES
from tests.autoscaler.kube.kubeconfigs import SECRET, kubeconfig
from tests.autoscaler.sources.prometheus.certificates import Authority
from tests.components.fault_proxy import FaultProxy, Reply, server_tls
from tests.components.http_faults import cut, hang_up, never, no_http, replied, trickle
from tests.fakes.serving import serving_http

POD = {"kind": "ConfigMap", "metadata": {"name": "a"}}
JSON = {"Content-Type": "application/json"}


def answering(answer):
    return FaultProxy(answer=answer)


def well(_seen):
    return Reply(body=json.dumps(POD).encode())


def api_at(url, folder: Path, **user):
    path = kubeconfig(folder / "config", url=url, **(user or {"token": SECRET}))
    return ApiServer.from_environment(kubeconfig=path, user_agent="tfa-test/1")


@pytest.fixture
def proxy():
    with answering(well) as proxy:
        yield proxy


@pytest.fixture
def api(proxy, tmp_path):
    api = api_at(proxy.url, tmp_path)
    yield api
    api.close()


def test_a_request_says_who_asks_and_what_is_wanted(api, proxy):
    api.get(CONFIG_MAPS, "a", "ns")

    (seen,) = proxy.seen
    assert (seen.method, seen.path) == ("GET", "/api/v1/namespaces/ns/configmaps/a")
    assert seen.headers["authorization"] == f"Bearer {SECRET}"
    assert seen.headers["user-agent"] == "tfa-test/1"
    assert seen.headers["accept"] == "application/json"


def test_metadata_alone_is_asked_for_and_the_object_says_its_kind(api, proxy):
    found = api.get(CONFIG_MAPS, "a", "ns", is_metadata_only=True)

    assert proxy.seen[0].headers["accept"] == (
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    )
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")


def test_connections_are_used_again(api, proxy):
    for _ in range(3):
        api.get(NODES, "n")

    assert [seen.connection for seen in proxy.seen] == [0, 0, 0]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../secrets/x", "a%2fb"])
def test_a_name_that_would_lead_to_another_object_is_not_asked_for(api, proxy, name):
    with pytest.raises(InvalidError, match=r"ConfigMap: the name .* is not allowed"):
        api.get(CONFIG_MAPS, name, "ns")
    with pytest.raises(InvalidError):
        api.get(CONFIG_MAPS, "a", name)
    assert proxy.seen == []


def test_letters_with_a_meaning_in_urls_are_sent_as_letters(api, proxy):
    api.get(NODES, "a?b#c d:é")

    assert proxy.seen[0].path == "/api/v1/nodes/a%3Fb%23c%20d%3A%C3%A9"


def test_an_object_of_a_namespaced_kind_needs_its_namespace(api):
    with pytest.raises(InvalidError, match="ConfigMap 'a': its namespace is not given"):
        api.get(CONFIG_MAPS, "a")


def test_an_error_of_the_server_is_quoted(api, proxy):
    status = {"kind": "Status", "code": 404, "message": 'configmaps "a" not found'}
    proxy.misbehave(replied(404, json.dumps(status).encode()))

    with pytest.raises(NotFoundError) as caught:
        api.get(CONFIG_MAPS, "a", "ns")

    assert str(caught.value) == (
        'GET /api/v1/namespaces/ns/configmaps/a: 404 Not Found: configmaps "a" not found'
    )


def test_the_header_says_how_long_to_wait(api, proxy):
    proxy.misbehave(replied(429, b"{}", Retry_After="4"))

    with pytest.raises(ThrottledError) as caught:
        api.get(NODES, "n")

    assert caught.value.retry_after_s == 4.0


def test_a_redirect_is_not_followed(api, proxy):
    proxy.misbehave(replied(302, b"", Location=f"{proxy.url}/elsewhere"))

    with pytest.raises(ApiUnavailableError, match="302 Found"):
        api.get(NODES, "n")
    assert len(proxy.seen) == 1


@pytest.mark.parametrize("body", [b"<html>login</html>", b"[]", b'{"cut', b""])
def test_an_answer_that_is_no_object_is_an_error(api, proxy, body):
    proxy.misbehave(replied(200, body, "text/html"))

    with pytest.raises(ApiUnavailableError) as caught:
        api.get(NODES, "n")

    assert str(caught.value) == (
        f"GET /api/v1/nodes/n: {proxy.url} answered with {len(body)} bytes that are no JSON "
        "object (content type: text/html); is it an API server?"
    )


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (never, "nothing came for 0.3 s"),
        (trickle(), "the answer is too slow: incomplete after 0.3 s"),
        (hang_up, "the connection was closed before the answer was complete"),
        (cut(5), "the connection was closed before the answer was complete"),
        (cut(5, chunked=True), "the connection was closed before the answer was complete"),
        (cut(5, reset=True), "the connection was closed before the answer was complete"),
        (no_http, "BadStatusLine"),
    ],
)
def test_an_answer_that_does_not_come_or_breaks_is_an_error(api, proxy, fault, said):
    proxy.misbehave(fault)

    with pytest.raises(ApiUnavailableError) as caught:
        api.request("GET", "/api", timeout_s=0.3)

    assert str(caught.value).startswith("GET /api: ")
    assert said in str(caught.value)
    assert len(proxy.seen) == 1


def test_a_refused_connection_names_the_server(api, proxy):
    proxy.refuse()

    with pytest.raises(ApiUnavailableError) as caught:
        api.get(NODES, "n")
    proxy.accept()

    assert str(caught.value) == (
        f"GET /api/v1/nodes/n: no answer of {proxy.url}: connection refused"
    )


def test_a_connection_that_nobody_takes_is_given_up(tmp_path):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        api = api_at(url, tmp_path)

        with pytest.raises(ApiUnavailableError, match=r"no answer of .*: n.* 0\.2 s"):
            api.request("GET", "/api", timeout_s=0.2)


def test_a_host_that_has_no_name_is_said_to_have_none(tmp_path):
    api = api_at("https://nowhere.invalid:1", tmp_path)

    with pytest.raises(ApiUnavailableError, match="the name of the host cannot be resolved"):
        api.request("GET", "/api")


def test_a_certificate_that_nobody_trusts_is_said(tmp_path):
    authority, stranger = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    tls = server_tls(*authority.issue("127.0.0.1"))
    with FaultProxy(answer=well, tls=tls) as proxy:
        path = kubeconfig(
            tmp_path / "config",
            url=proxy.url,
            cluster={"certificate-authority": str(stranger.certificate)},
            token=SECRET,
        )
        api = ApiServer.from_environment(kubeconfig=path, user_agent="test")

        with pytest.raises(ApiUnavailableError) as caught:
            api.request("GET", "/api")

    assert "the certificate of the server is not accepted: " in str(caught.value)
    assert "certificate-authority" in str(caught.value)


def test_a_certificate_of_the_client_is_shown(tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("client")
    tls = server_tls(*authority.issue("127.0.0.1"), client_ca=authority.certificate)
    with FaultProxy(answer=well, tls=tls) as proxy:
        path = kubeconfig(
            tmp_path / "config",
            url=proxy.url,
            cluster={"certificate-authority": str(authority.certificate)},
            **{"client-certificate": str(certificate), "client-key": str(key)},
        )
        api = ApiServer.from_environment(kubeconfig=path, user_agent="test")

        assert api.request("GET", "/api")["metadata"] == {"name": "a"}
        api.close()


def test_plain_http_behind_https_is_said(tmp_path, proxy):
    api = api_at(proxy.url.replace("http:", "https:"), tmp_path)

    with pytest.raises(ApiUnavailableError, match="TLS failed: "):
        api.request("GET", "/api")


def test_a_token_that_was_exchanged_is_read_anew_and_the_request_repeated_once(tmp_path):
    token = tmp_path / "token"
    token.write_text("old", encoding="utf-8")

    def answer(seen):
        return well(seen) if seen.headers["authorization"] == "Bearer new" else Reply(status=401)

    with answering(answer) as proxy:
        api = api_at(proxy.url, tmp_path, tokenFile=str(token))
        token.write_text("new", encoding="utf-8")

        assert api.request("GET", "/api")["metadata"] == {"name": "a"}
        api.close()
    assert [seen.headers["authorization"] for seen in proxy.seen] == ["Bearer old", "Bearer new"]


def test_a_refused_token_is_asked_with_once_and_never_quoted(api, proxy):
    status = {"kind": "Status", "code": 401, "message": "Unauthorized"}
    proxy.misbehave(replied(401, json.dumps(status).encode()))

    with pytest.raises(ForbiddenError) as caught:
        api.get(NODES, "n")

    assert str(caught.value) == "GET /api/v1/nodes/n: 401 Unauthorized: Unauthorized"
    assert len(proxy.seen) == 1


def test_whoever_asks_without_credentials_is_told(tmp_path, proxy):
    api = api_at(proxy.url, tmp_path, username="")
    proxy.misbehave(replied(403, b"{}"))

    with pytest.raises(ForbiddenError, match="asked without credentials: the configuration yields"):
        api.get(NODES, "n")
    api.close()


def test_read_only_mappings_are_sent_as_objects(tmp_path):
    from types import MappingProxyType

    class Handler(BaseHTTPRequestHandler):
        bodies: list

        def do_PATCH(self):
            self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    bodies = []
    with serving_http(Handler, bodies=bodies) as url:
        api = api_at(url, tmp_path)
        api.merge_patch(NODES, "n", MappingProxyType({"spec": MappingProxyType({"a": 1})}))
        api.close()

    assert bodies == [b'{"spec":{"a":1}}']


def test_threads_ask_side_by_side(api, proxy):
    together = threading.Barrier(4, timeout=10)

    def meet(wire, honest):
        together.wait()
        wire.send(honest())

    proxy.misbehave(meet)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(api.get(NODES, "n")["kind"])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["Node"] * 4
