"""Asking an endpoint of a stranger over HTTP."""

import gzip
import socket

import pytest
import urllib3

from autoscaler.errors import AnswerError, QueryTimeoutError, SourceError, SourceUnavailableError
from autoscaler.sources.external_scaler import BODY_BYTES, ExternalScalerClient
from tests.autoscaler.sources.prometheus.certificates import Authority
from tests.components.fault_proxy import FaultProxy, Reply, server_tls
from tests.components.http_faults import cut, hang_up, never, replied, trickle

JSON = "application/json"
SECRET = "s3cret"
BODY = b'{"needScaleUp": false}'


@pytest.fixture
def endpoint():
    with FaultProxy(answer=lambda _seen: Reply(body=BODY)) as server:
        yield server


def asked(endpoint, *, deadline_s=20.0, **more):
    url = f"{endpoint.url}/hook/{SECRET}"
    return ExternalScalerClient(deadline_s=deadline_s, **more).ask(url, b"{}", bearer=SECRET)


def refused(endpoint, **more):
    """Return the error of a question, which must not quote what is secret."""
    with pytest.raises(SourceError) as error:
        asked(endpoint, **more)
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None
    return error.value


def test_a_question_is_posted_as_json_with_the_key(endpoint):
    assert asked(endpoint) == BODY
    (seen,) = endpoint.seen
    assert (seen.method, seen.path, seen.body) == ("POST", f"/hook/{SECRET}", b"{}")
    sent = {name.lower(): value for name, value in seen.headers.items()}
    assert sent["content-type"] == JSON
    assert sent["authorization"] == f"Bearer {SECRET}"
    assert sent["accept-encoding"] == "identity"


def test_without_a_key_no_authorization_is_sent_whatever_the_environment_holds(
    endpoint, tmp_path, monkeypatch
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    ExternalScalerClient(deadline_s=20.0).ask(endpoint.url, b"{}")
    assert "authorization" not in {name.lower() for name in endpoint.seen[0].headers}


def test_a_redirect_is_not_followed(endpoint):
    endpoint.misbehave(replied(307, Location=f"{endpoint.url}/{SECRET}"))
    error = refused(endpoint)
    assert isinstance(error, AnswerError)
    assert str(error) == "answered with a redirect (HTTP 307), which is not followed"
    assert len(endpoint.seen) == 1


@pytest.mark.parametrize("status", [201, 204, 401, 404, 500, 503])
def test_another_status_than_200_is_named_and_its_body_is_not(endpoint, status):
    endpoint.misbehave(replied(status, SECRET.encode()))
    assert str(refused(endpoint)) == f"answered with HTTP {status}; allowed: 200"


@pytest.mark.parametrize("kind", ["text/html", "", SECRET])
def test_an_answer_that_is_not_json_is_refused(endpoint, kind):
    endpoint.misbehave(replied(200, BODY, kind))
    assert str(refused(endpoint)).startswith("the answer is not JSON; allowed: Content-Type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/problem+json"])
def test_every_kind_of_json_is_read(endpoint, kind):
    endpoint.misbehave(replied(200, BODY, kind))
    assert asked(endpoint) == BODY


def test_a_compressed_answer_is_refused(endpoint):
    endpoint.misbehave(replied(200, gzip.compress(BODY), JSON, Content_Encoding="gzip"))
    assert "compressed" in str(refused(endpoint))


def test_a_body_of_the_largest_size_is_taken_and_one_byte_more_is_not(endpoint):
    endpoint.misbehave(replied(200, b" " * BODY_BYTES, JSON), times=1)
    assert len(asked(endpoint)) == BODY_BYTES
    endpoint.misbehave(replied(200, b" " * (BODY_BYTES + 1), JSON))
    assert str(refused(endpoint)) == "the answer is larger than the 65536 bytes that are taken"


@pytest.mark.parametrize("fault", [never, trickle(), trickle(head=True)])
def test_an_endpoint_that_takes_its_time_is_given_up_at_the_deadline(endpoint, fault):
    endpoint.misbehave(fault)
    error = refused(endpoint, deadline_s=0.3)
    assert isinstance(error, QueryTimeoutError)
    assert str(error) == "no complete answer within 0.3 s"


@pytest.mark.parametrize("fault", [hang_up, cut(4), cut(4, reset=True), cut(4, chunked=True)])
def test_a_connection_that_breaks_is_an_error_and_nothing_is_repeated(endpoint, fault):
    endpoint.misbehave(fault)
    error = refused(endpoint)
    assert isinstance(error, SourceUnavailableError)
    assert str(error) == "the connection failed before the answer was complete"
    assert len(endpoint.seen) == 1


def test_an_endpoint_that_is_not_there_is_named_so(endpoint):
    endpoint.refuse()
    error = refused(endpoint)
    endpoint.accept()
    assert isinstance(error, SourceUnavailableError)
    assert str(error) == "connection refused"


def test_a_host_without_an_address_is_named_so():
    with pytest.raises(SourceUnavailableError, match="cannot be resolved"):
        ExternalScalerClient().ask("http://absent.invalid/", b"{}")


def test_the_addresses_of_a_host_that_has_many_share_the_time(monkeypatch):
    addresses = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{i}", 80)) for i in range(5)
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: addresses)
    waits_s = []

    def connecting(_address, timeout, **_more):
        waits_s.append(timeout)
        raise TimeoutError

    monkeypatch.setattr(urllib3.connection.connection, "create_connection", connecting)

    with pytest.raises(SourceError):
        ExternalScalerClient(deadline_s=10.0, monotonic_s=lambda: 0.0).ask("http://many/", b"{}")
    assert waits_s == [2.0]


def test_https_is_asked_where_the_certificate_is_accepted(tmp_path):
    authority = Authority(tmp_path)
    tls = server_tls(*authority.issue("endpoint"))
    with FaultProxy(answer=lambda _seen: Reply(body=BODY), tls=tls) as endpoint:
        assert asked(endpoint, ca_file=authority.certificate) == BODY
        assert str(refused(endpoint)) == "TLS failed: the certificate is not accepted"
        assert len(endpoint.seen) == 1


def test_https_to_a_plain_port_is_named_so(endpoint):
    with pytest.raises(SourceUnavailableError, match="does the endpoint speak https"):
        ExternalScalerClient().ask(endpoint.url.replace("http:", "https:"), b"{}")
