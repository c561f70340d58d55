import json
import logging
import traceback

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from autoscaler.errors import SourceError, SourceUnavailableError
from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.faults import QUOTED_LETTERS
from autoscaler.sources.prometheus.session import WARNINGS_KEPT
from tests.autoscaler.sources.prometheus.certificates import Authority
from tests.components.fault_proxy import FaultProxy, Reply, server_tls
from tests.components.http_faults import EMPTY, hang_up, never, replied, warned

NOW_S = 1_700_000_000.0


def ask(url, **more):
    """Query once by a client of its own."""
    client = PrometheusClient(Connection(url=url, **more), wait=lambda _s: None)
    try:
        return client.instant("m", NOW_S)
    finally:
        client.close()


@pytest.fixture
def client_of():
    clients = []

    def make(url, **more):
        clients.append(PrometheusClient(Connection(url=url, **more), wait=lambda _s: None))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder):
    return Authority(folder)


@pytest.fixture(scope="module")
def stranger(folder):
    return Authority(folder, "stranger")


@pytest.fixture(scope="module")
def server_files(authority):
    return authority.issue("server")


def test_a_request_says_who_asks_and_that_it_wants_plain_json():
    with FaultProxy() as server:
        ask(server.url)
        headers = server.seen[0].headers
    assert headers["user-agent"].startswith("tensor-fusion-autoscaler/")
    assert headers["accept"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert "authorization" not in headers


def test_nothing_of_the_query_is_in_the_url():
    with FaultProxy() as server:
        ask(server.url, parameters={"db": "public"})
        assert server.seen[0].path == "/api/v1/query"
        assert server.seen[0].body.startswith(b"query=m&")


def test_neither_proxies_nor_logins_of_the_environment_are_used(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with FaultProxy() as server:
        ask(server.url)
        assert "authorization" not in server.seen[0].headers


def test_the_proxy_that_is_set_is_used():
    with FaultProxy() as proxy:
        ask("http://prometheus.invalid:9090", proxy_url=proxy.url)
        assert proxy.seen[0].path == "http://prometheus.invalid:9090/api/v1/query"


def test_a_proxy_that_fails_is_named():
    with FaultProxy() as proxy, pytest.raises(SourceUnavailableError) as caught:
        ask("https://prometheus.invalid", proxy_url=proxy.url)
    assert str(caught.value).startswith(
        f"https://prometheus.invalid: through the proxy {proxy.url}: Tunnel connection failed: 501"
    )
    assert str(caught.value).endswith("; check prometheus.proxyUrl")
    with pytest.raises(SourceUnavailableError, match=r"through the proxy .*connection refused"):
        ask("http://prometheus.invalid", proxy_url=proxy.url)


def test_headers_from_files_are_those_of_the_moment(client_of, tmp_path):
    tenant, token = tmp_path / "tenant", tmp_path / "token"
    tenant.write_text("team-a\n")
    token.write_text("one\n")
    with FaultProxy() as server:
        client = client_of(
            server.url,
            bearer_token_file=token,
            header_files={"X-Scope-OrgID": tenant},
            headers={"X-Plain": "yes"},
        )
        client.instant("m", NOW_S)
        tenant.write_text("team-a|team-b")
        token.write_text("two")
        client.instant("m", NOW_S)
    names = ("x-scope-orgid", "authorization", "x-plain")
    assert [[seen.headers[name] for name in names] for seen in server.seen] == [
        ["team-a", "Bearer one", "yes"],
        ["team-a|team-b", "Bearer two", "yes"],
    ]


def test_a_redirect_is_not_followed_with_the_secrets(tmp_path):
    token = tmp_path / "token"
    token.write_text("hunter2")
    with FaultProxy() as other, FaultProxy() as server:
        for status in (301, 302, 303, 307, 308):
            server.misbehave(replied(status, Location=other.url), times=1)
            with pytest.raises(SourceError, match="redirects are not followed"):
                ask(server.url, header_files={"X-Token": token})
        assert other.seen == []


PAIR = "YW5uOmh1bnRlcjI="
"""``ann:hunter2`` as basic authentication sends it."""


@pytest.mark.parametrize(
    "answer",
    [
        (401, "denied: {0}", "text/plain", {}),
        (200, "<title>hello {0}</title>", "text/html", {}),
        (200, "no {0}", "application/json", {}),
        (200, '{{"status":"success","data":"{0}"}}', "application/json", {}),
        (400, '{{"status":"error","errorType":"{0}","error":"{0}"}}', "application/json", {}),
        (500, "x" * 290 + "{0}", "text/plain", {}),
        (302, "", "text/plain", {"Location": "/login/{0}?state={0}"}),
        (200, "", "text/{0}", {}),
    ],
)
def test_a_server_that_repeats_secrets_does_not_bring_them_into_texts(
    tmp_path, caplog, client_of, answer
):
    caplog.set_level(logging.DEBUG)
    password, tenant = tmp_path / "password", tmp_path / "tenant"
    password.write_text("hunter2")
    tenant.write_text("s3cret-tenant")
    status, body, content_type, headers = answer
    with FaultProxy() as server:
        client = client_of(
            server.url,
            basic_user="ann",
            basic_password_file=password,
            header_files={"X-Scope-OrgID": tenant},
        )
        for secret in ("hunter2", PAIR, "s3cret-tenant"):
            server.misbehave(
                replied(
                    status,
                    body.format(secret).encode(),
                    content_type.format(secret),
                    **{name: value.format(secret) for name, value in headers.items()},
                ),
                times=1,
            )
            with pytest.raises(SourceError) as caught:
                client.instant("m", NOW_S)
            texts = [
                str(caught.value),
                repr(caught.value),
                "".join(traceback.format_exception(caught.value)),
                repr(client),
                repr(client.connection),
                repr(client.counts.snapshot()),
                caplog.text,
            ]
            assert [text for text in texts if secret[:6] in text] == []
            assert server.seen[-1].headers["authorization"] == f"Basic {PAIR}"


def test_a_certificate_that_the_authority_signed_is_accepted(authority, server_files):
    with FaultProxy(tls=server_tls(*server_files)) as server:
        assert len(ask(server.url, ca_file=authority.certificate)) == 0


@pytest.mark.parametrize("authority_of_client", ["stranger", None])
def test_an_unknown_authority_is_said(request, server_files, authority_of_client):
    ca_file = None
    if authority_of_client is not None:
        ca_file = request.getfixturevalue(authority_of_client).certificate
    with FaultProxy(tls=server_tls(*server_files)) as server:
        with pytest.raises(SourceUnavailableError) as caught:
            ask(server.url, ca_file=ca_file)
        assert server.seen == []
    assert "TLS failed: the certificate of the server is not accepted: " in str(caught.value)
    assert "prometheus.caFile" in str(caught.value)


def test_a_certificate_of_another_host_is_said(authority):
    files = authority.issue("other", x509.DNSName("other.example.org"))
    with (
        FaultProxy(tls=server_tls(*files)) as server,
        pytest.raises(SourceUnavailableError, match=r"not accepted: .*not valid for '127.0.0.1'"),
    ):
        ask(server.url, ca_file=authority.certificate)


def test_verification_can_be_switched_off(server_files):
    with FaultProxy(tls=server_tls(*server_files)) as server:
        assert len(ask(server.url, is_verified=False)) == 0


def test_plain_and_encrypted_taken_for_one_another_is_said(authority, server_files):
    with FaultProxy() as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(SourceUnavailableError, match="does the server speak plain http://"):
            ask(url, ca_file=authority.certificate)
    with FaultProxy(tls=server_tls(*server_files)) as server:
        url = server.url.replace("https:", "http:")
        with pytest.raises(SourceError) as caught:
            ask(url)
        assert str(caught.value).startswith(url)


def test_a_file_that_is_no_certificate_is_said(authority, server_files, tmp_path):
    broken = tmp_path / "broken.pem"
    broken.write_text("hunter2")
    with FaultProxy(tls=server_tls(*server_files)) as server:
        for files in (
            {"ca_file": broken},
            {"ca_file": authority.certificate, "certificate_file": broken},
        ):
            with pytest.raises(SourceUnavailableError, match=r"TLS failed: .*prometheus.caFile"):
                ask(server.url, **files)


def test_a_server_that_wants_to_know_its_clients_gets_a_certificate(authority, server_files):
    tls = server_tls(*server_files, client_ca=authority.certificate)
    with FaultProxy(tls=tls) as server:
        certificate, key = authority.issue("client")
        ask(
            server.url,
            ca_file=authority.certificate,
            certificate_file=certificate,
            key_file=key,
        )
        both = certificate.with_suffix(".both")
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        ask(server.url, ca_file=authority.certificate, certificate_file=both)
        assert len(server.seen) == 2
        with pytest.raises(SourceUnavailableError, match="ask for a certificate of the client"):
            ask(server.url, ca_file=authority.certificate)


def test_a_certificate_that_is_replaced_on_disk_is_taken_up(
    authority, stranger, server_files, client_of, tmp_path
):
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"

    def install(issued):
        for target, source in zip((certificate, key), issued, strict=True):
            target.write_bytes(source.read_bytes())

    install(stranger.issue("client"))
    tls = server_tls(*server_files, client_ca=authority.certificate)
    with FaultProxy(tls=tls) as server:
        client = client_of(
            server.url,
            ca_file=authority.certificate,
            certificate_file=certificate,
            key_file=key,
        )
        with pytest.raises(SourceUnavailableError, match=r"TLS failed: .*alert"):
            client.instant("m", NOW_S)
        for name in ("new", "newer"):
            install(authority.issue(name))
            client.instant("m", NOW_S)
            client.instant("m", NOW_S)
        first, second = sorted({seen.connection for seen in server.seen})
        assert [seen.connection for seen in server.seen] == [first, first, second, second]


def test_an_authority_that_is_replaced_on_disk_is_taken_up(
    authority, stranger, server_files, client_of, tmp_path
):
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(stranger.certificate.read_bytes())
    with FaultProxy(tls=server_tls(*server_files)) as server:
        client = client_of(server.url, ca_file=ca_file)
        with pytest.raises(SourceUnavailableError, match="TLS failed"):
            client.instant("m", NOW_S)
        ca_file.write_bytes(authority.certificate.read_bytes())
        assert len(client.instant("m", NOW_S)) == 0


def test_a_handshake_that_never_ends_is_no_connection(authority):
    with FaultProxy() as server:
        # A server of plain HTTP waits for the end of what looks like a request line.
        server.misbehave(never)
        silent = server.url.replace("http:", "https:")
        with pytest.raises(SourceUnavailableError):
            ask(silent, ca_file=authority.certificate, connect_timeout_s=0.2)


def test_answers_over_tls_end_at_the_deadline_too(authority, server_files):
    with FaultProxy(tls=server_tls(*server_files)) as server:
        server.misbehave(never)
        with pytest.raises(SourceError, match=r"no complete answer within 0\.4 s"):
            ask(
                server.url,
                ca_file=authority.certificate,
                query_timeout_s=0.2,
                connect_timeout_s=0.2,
            )


def test_a_hang_up_over_tls_is_repeated(authority, server_files):
    body = Reply(body=EMPTY)
    with FaultProxy(answer=lambda _seen: body, tls=server_tls(*server_files)) as server:
        server.misbehave(hang_up, times=2)
        assert len(ask(server.url, ca_file=authority.certificate)) == 0
        assert len(server.seen) == 3


def test_cookies_of_a_server_are_not_sent_back(client_of):
    with FaultProxy() as server:
        client = client_of(server.url)
        for number in range(2):
            server.misbehave(
                replied(200, EMPTY, "application/json", Set_Cookie=f"c{number}=x; Path=/"), times=1
            )
            client.instant("m", NOW_S)
        client.instant("m", NOW_S)
        assert [seen.headers.get("cookie") for seen in server.seen] == [None, None, None]


@pytest.mark.parametrize(
    ("date", "time_s"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", NOW_S),
        ("Tue, 14 Nov 2023 22:13:20 -0000", NOW_S),
        ("Tue, 99999999999999999999 Nov 2023 22:13:20 GMT", None),
        ("Tue, 14 Nov 2023 22:13:20 +99999999999999999999", None),
        ("yesterday", None),
    ],
)
def test_the_time_of_a_server_is_utc_or_not_told(client_of, date, time_s):
    with FaultProxy() as server:
        client = client_of(server.url)
        server.misbehave(replied(200, EMPTY, "application/json", Date=date), times=1)
        client.instant("m", NOW_S)
        assert client.server_time_s == time_s
        server.misbehave(replied(503, b"later", Date=date, Retry_After=date), times=1)
        client.instant("m", NOW_S)


ESCAPES = "\x1b]0;owned\x07" + "x" * 1000


@pytest.mark.parametrize(
    "answer",
    [
        replied(200, b"", f"text/{ESCAPES}"),
        replied(302, Location=f"/{ESCAPES}"),
        replied(200, EMPTY, "application/json", Content_Encoding=ESCAPES),
        replied(200, json.dumps({"status": ESCAPES}).encode(), "application/json"),
        replied(400, ESCAPES.encode()),
    ],
)
def test_what_a_server_sends_is_told_in_one_short_and_harmless_line(answer):
    with FaultProxy() as server:
        server.misbehave(answer)
        with pytest.raises(SourceError) as caught:
            ask(server.url)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 3 * QUOTED_LETTERS


def test_warnings_are_short_harmless_few_and_hold_no_secret(client_of, tmp_path):
    token = tmp_path / "token"
    token.write_text("hunter2")
    with FaultProxy() as server:
        client = client_of(server.url, bearer_token_file=token)
        server.misbehave(warned("\x1b[2Jhunter2 is not known", ESCAPES, *map(str, range(50))))
        warnings = client.instant("m", NOW_S).warnings
    assert warnings[0] == "[2J*** is not known"
    assert [text for text in warnings if not text.isprintable()] == []
    assert max(map(len, warnings)) == QUOTED_LETTERS + len("...")
    assert warnings[WARNINGS_KEPT:] == ("and 32 more",)


def test_a_build_is_told_in_harmless_words(client_of):
    body = json.dumps({"status": "success", "data": {"version": ESCAPES}}).encode()
    with FaultProxy() as server:
        server.misbehave(replied(200, body, "application/json"))
        version = client_of(server.url).build()["version"]
    assert version.isprintable()
    assert len(version) == QUOTED_LETTERS + len("...")


def test_the_pass_phrase_of_a_key_is_not_asked_for_at_the_terminal(authority, server_files):
    certificate, key_file = authority.issue("locked")
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hunter2"),
    )
    both = certificate.with_suffix(".both")
    both.write_bytes(certificate.read_bytes() + locked)
    with FaultProxy(tls=server_tls(*server_files)) as server:
        with pytest.raises(
            SourceUnavailableError, match=r"TLS failed: .*key is encrypted.*prometheus.keyFile"
        ):
            ask(server.url, ca_file=authority.certificate, certificate_file=both)
        assert server.seen == []
