import json
import time
import tracemalloc

import numpy as np
import pytest

from autoscaler.errors import (
    AnswerError,
    QueryRejectedError,
    QueryTimeoutError,
    SourceUnavailableError,
    UsageError,
)
from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.query_counts import Outcome, QueryCounts
from tests.components.fault_proxy import FaultProxy, Reply
from tests.components.http_faults import (
    announced,
    api_error,
    cut,
    endless,
    gzip_bomb,
    hang_up,
    never,
    no_http,
    replied,
    rewritten,
    skewed,
    trickle,
    warned,
    zipped,
)

NOW_S = 1_700_000_000.0
ONE = {"metric": {"worker": "a"}, "values": [[1700000000, "1.5"], [1700000060, "NaN"]]}
MATRIX = {"status": "success", "data": {"resultType": "matrix", "result": [ONE]}}
SHORT = {"query_timeout_s": 0.6, "connect_timeout_s": 0.4}
"""Long enough for an honest answer on a busy machine."""


@pytest.fixture
def server():
    with FaultProxy(answer=lambda _seen: Reply(body=json.dumps(MATRIX).encode())) as server:
        yield server


class Waits(list):
    """Stands for time.sleep and for the clock that it moves."""

    def __call__(self, seconds):
        self.append(seconds)

    def now_s(self):
        return sum(self)


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def client_of(waits):
    """Make clients of a URL that do not wait and are closed at the end."""
    clients = []

    def make(url, *, monotonic_s=time.monotonic, **more):
        connection = Connection(url=url, **more)
        client = PrometheusClient(
            connection, wait=waits, monotonic_s=monotonic_s, now_s=lambda: NOW_S
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def test_an_answer_comes_as_columns(server, client_of):
    answer = client_of(server.url).instant("m[5m]", NOW_S)
    assert answer.labels == ({"worker": "a"},)
    assert answer.ts.tolist() == [1_700_000_000, 1_700_000_060]
    assert np.array_equal(answer.value, [1.5, np.nan], equal_nan=True)


def test_an_instant_query_is_sent_in_the_body_to_the_millisecond(server, client_of):
    client_of(server.url + "/", parameters={"db": "public"}).instant('m{a="é"}[5m]', NOW_S + 0.1234)
    [seen] = server.seen
    assert (seen.method, seen.path) == ("POST", "/api/v1/query")
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert seen.form == {
        "query": 'm{a="é"}[5m]',
        "time": "1700000000.123",
        "timeout": "60",
        "db": "public",
    }


def test_a_range_query_is_sent_with_whole_seconds(server, client_of):
    client = client_of(server.url + "/prefix", query_timeout_s=2.5)
    client.range("m", 1_700_000_000, 1_700_086_400, 60)
    [seen] = server.seen
    assert seen.path == "/prefix/api/v1/query_range"
    assert seen.form == {
        "query": "m",
        "start": "1700000000",
        "end": "1700086400",
        "step": "60",
        "timeout": "2.5",
    }


def test_a_query_of_a_megabyte_arrives_whole(server, client_of):
    query = "m" * 2**20
    client_of(server.url).instant(query, NOW_S)
    assert server.seen[0].form["query"] == query


def test_queries_share_one_connection_and_a_closed_client_opens_another(server, client_of):
    client = client_of(server.url)
    for _ in range(3):
        client.instant("m", NOW_S)
    client.close()
    client.instant("m", NOW_S)
    assert [seen.connection for seen in server.seen] == [0, 0, 0, 1]


REJECTED = [
    (api_error(400, "bad_data", "parse error at char 3"), "(bad_data): parse error at char 3"),
    (api_error(422, "execution", "too many samples"), "HTTP 422: the server refused the query"),
    (api_error(200, "execution", "late error"), "HTTP 200: the server refused the query"),
    (replied(401, b"Unauthorized"), "Unauthorized; check the credentials: prometheus.tokenFile"),
    (replied(403, b"<h1>Forbidden</h1>", "text/html"), "Forbidden; check the credentials"),
    (replied(404, b"404 page not found"), "is the prefix of prometheus.url right?"),
]
TIMED_OUT = [
    (api_error(503, "timeout", "query timed out in expression"), "query timed out in expression"),
    (replied(504, b"upstream request timeout"), "raise prometheus.timeout"),
    (never, "no complete answer within 1 s"),
    (trickle(), "no complete answer within 1 s"),
    (trickle(head=True), "no complete answer within 1 s"),
]
UNAVAILABLE = [
    (api_error(500, "internal", "disk is full"), "disk is full"),
    (replied(502, b"<title>502 Bad Gateway</title>", "text/html"), "502 Bad Gateway"),
    (api_error(503, "unavailable", "starting up"), "starting up"),
    (replied(429, b"slow down"), "HTTP 429: the server cannot answer now: slow down"),
    (hang_up, "the connection was closed before the end of the answer"),
    (cut(30, reset=True), "the connection was closed before the end of the answer"),
]
BAD_ANSWERS = [
    (replied(200, b"<title>Sign in</title>", "text/html; charset=utf-8"), "'Sign in'; is this the"),
    (replied(200, b"", ""), "a body of no stated type, not with JSON"),
    (replied(302, Location="/login?state=1"), "/login; redirects are not followed"),
    (replied(301, Location="https://ann:pw@other/x"), "the server redirects to https://other/x;"),
    (replied(302, Location="http://[::1"), "the server redirects to what is no URL;"),
    (replied(304), "HTTP 304: no answer to a query"),
    (replied(204), "HTTP 204: no answer to a query: the server gives no reason"),
    (replied(200, b"[]", "application/json"), "the answer of 2 bytes is no JSON"),
    (rewritten(lambda body: body[:-1]), "was cut short"),
    (cut(30), "the answer was cut short"),
    (cut(30, chunked=True), "the answer was cut short"),
    (zipped(lambda data: data[:-9]), "the answer was cut short: its gzip stream has no end"),
    (zipped(lambda data: b"no" + data), "the answer is no gzip, as its header says"),
    (replied(200, b"", "application/json", Content_Encoding="br"), "encoded as 'br'"),
    (gzip_bomb(2**30), "larger than the 1048576 bytes that are taken (prometheus.maxAnswer)"),
    (announced(2**31), "the answer of 2147483648 bytes is larger than the 1048576 bytes"),
    (endless(302, Location="/login"), "/login; redirects are not followed"),
    (endless(), "larger than the 1048576 bytes"),
    (no_http, "the server does not speak HTTP"),
]


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        *((*row[:1], QueryRejectedError, row[1]) for row in REJECTED),
        *((*row[:1], QueryTimeoutError, row[1]) for row in TIMED_OUT),
        *((*row[:1], SourceUnavailableError, row[1]) for row in UNAVAILABLE),
        *((*row[:1], AnswerError, row[1]) for row in BAD_ANSWERS),
    ],
)
def test_a_fault_is_a_typed_error_with_its_reason_and_then_all_is_well(
    server, client_of, fault, error, text
):
    limits = SHORT if error is QueryTimeoutError else {}
    client = client_of(server.url, answer_bytes=2**20, **limits)
    server.misbehave(fault)
    with pytest.raises(error) as caught:
        client.instant("m", NOW_S)
    assert type(caught.value) is error
    assert str(caught.value).startswith(server.url + ": ")
    assert text in str(caught.value)
    snapshot = client.counts.snapshot()
    assert sum(snapshot.queries.values()) == 1
    assert snapshot.queries[Outcome.OK] == 0
    assert (snapshot.last_error, snapshot.last_error_s) == (str(caught.value), NOW_S)
    server.heal()
    assert len(client.instant("m", NOW_S)) == 2


def test_a_bomb_costs_little_memory(server, client_of):
    client = client_of(server.url, answer_bytes=8 * 2**20)
    server.misbehave(gzip_bomb(2**30))
    tracemalloc.start()
    try:
        with pytest.raises(AnswerError, match="larger than the 8388608 bytes"):
            client.instant("m", NOW_S)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 32 * 2**20


def test_an_unbounded_wait_ends_at_the_deadline(server, client_of):
    for fault in (never, trickle(), trickle(head=True)):
        client = client_of(server.url, **SHORT)
        server.misbehave(fault, times=1)
        start_s = time.monotonic()
        with pytest.raises(QueryTimeoutError):
            client.instant("m", NOW_S)
        assert 0.9 < time.monotonic() - start_s < 5


def test_the_deadline_is_by_the_given_clock(server, client_of):
    client = client_of(server.url, monotonic_s=lambda: 3600.0 * len(server.seen))
    server.misbehave(trickle())
    with pytest.raises(QueryTimeoutError, match="no complete answer within 65 s"):
        client.instant("m", NOW_S)


def test_a_machine_that_sleeps_during_a_wait_ends_the_query(server, client_of, waits):
    client = client_of(server.url, monotonic_s=lambda: 3600.0 * len(waits))
    server.misbehave(hang_up)
    with pytest.raises((SourceUnavailableError, QueryTimeoutError)):
        client.instant("m", NOW_S)
    assert waits == [0.5]


def test_nobody_listens(server, client_of):
    client = client_of(server.url)
    server.refuse()
    with pytest.raises(SourceUnavailableError, match="connection refused; does the server run"):
        client.instant("m", NOW_S)
    assert client.counts.snapshot().retries == 2
    server.accept()
    assert len(client.instant("m", NOW_S)) == 2


def test_a_name_that_does_not_resolve_is_said(client_of):
    client = client_of("http://prometheus.invalid:9090")
    with pytest.raises(SourceUnavailableError, match="the name of the host cannot be resolved"):
        client.instant("m", NOW_S)


@pytest.mark.parametrize(
    "fault",
    [
        hang_up,
        cut(30),
        cut(30, reset=True),
        zipped(lambda data: data[:-9]),
        replied(429),
        replied(502),
        api_error(503, "unavailable", "starting up"),
    ],
)
def test_what_passes_is_repeated_twice(server, client_of, waits, fault):
    client = client_of(server.url)
    server.misbehave(fault, times=2)
    assert len(client.instant("m", NOW_S)) == 2
    assert waits == [0.5, 2.0]
    snapshot = client.counts.snapshot()
    assert (snapshot.retries, snapshot.queries[Outcome.OK], snapshot.last_error) == (2, 1, None)
    assert [seen.form["query"] for seen in server.seen] == ["m", "m", "m"]


def test_the_third_failure_is_final(server, client_of, waits):
    client = client_of(server.url)
    server.misbehave(hang_up)
    with pytest.raises(SourceUnavailableError):
        client.instant("m", NOW_S)
    assert (len(server.seen), waits) == (3, [0.5, 2.0])


@pytest.mark.parametrize(
    "fault",
    [
        *(row[0] for row in REJECTED),
        *(row[0] for row in TIMED_OUT),
        api_error(500, "internal", "disk is full"),
        replied(200, b"<title>Sign in</title>", "text/html"),
        announced(2**31),
        endless(),
        endless(500),
    ],
)
def test_what_would_come_out_the_same_is_not_repeated(server, client_of, waits, fault):
    client = client_of(server.url, **SHORT)
    server.misbehave(fault)
    with pytest.raises(
        (QueryRejectedError, QueryTimeoutError, SourceUnavailableError, AnswerError)
    ):
        client.instant("m", NOW_S)
    assert (len(server.seen), waits) == (1, [])


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("7", [7.0]),
        ("0", [0.5]),
        ("soon", [0.5]),
        ("Thu, 01 Jan 1970 00:00:09 GMT", [9.0]),
        ("Thu, 01 Jan 1970 00:00:00 GMT", [0.5]),
    ],
)
def test_a_server_is_left_alone_for_as_long_as_it_asks(server, client_of, waits, asked, waited):
    date = "Thu, 01 Jan 1970 00:00:00 GMT"
    server.misbehave(replied(429, b"slow down", Retry_After=asked, Date=date), times=1)
    assert len(client_of(server.url).instant("m", NOW_S)) == 2
    assert waits == waited


def test_a_server_that_asks_for_a_long_pause_gets_it_by_not_being_asked_again(
    server, client_of, waits
):
    server.misbehave(replied(429, b"slow down", Retry_After="11"))
    with pytest.raises(SourceUnavailableError, match="slow down; it asks to wait 11 s"):
        client_of(server.url).instant("m", NOW_S)
    assert (len(server.seen), waits) == (1, [])


def test_all_attempts_end_within_three_deadlines(server, client_of, waits):
    server.misbehave(hang_up)
    client = client_of(
        server.url, monotonic_s=waits.now_s, query_timeout_s=0.5, connect_timeout_s=0.3
    )
    with pytest.raises(SourceUnavailableError):
        client.instant("m", NOW_S)
    assert (len(server.seen), waits) == (2, [0.5])


def test_a_partial_answer_is_an_answer_with_warnings(server, client_of):
    client = client_of(server.url)
    server.misbehave(warned("store 2 is away"))
    answer = client.instant("m", NOW_S)
    assert (len(answer), answer.warnings) == (2, ("store 2 is away",))
    snapshot = client.counts.snapshot()
    assert (snapshot.partial, snapshot.last_success_s) == (1, NOW_S)


def test_queries_are_counted_with_their_samples_and_bytes(server, client_of):
    client = client_of(server.url)
    client.instant("m", NOW_S)
    client.range("m", 0, 60, 60)
    snapshot = client.counts.snapshot()
    assert snapshot.queries[Outcome.OK] == 2
    assert (snapshot.samples, snapshot.answer_bytes) == (4, 2 * len(json.dumps(MATRIX)))
    assert sum(snapshot.durations) == 2
    assert snapshot.last_success_s == NOW_S


def test_clients_may_share_counts(server):
    counts = QueryCounts()
    for _ in range(2):
        client = PrometheusClient(Connection(url=server.url), counts=counts)
        client.instant("m", NOW_S)
        client.close()
        assert client.counts is counts
    assert counts.snapshot().queries[Outcome.OK] == 2


def test_the_clock_of_the_server_is_kept_from_its_last_response(server, client_of):
    client = client_of(server.url)
    assert client.server_time_s is None
    server.misbehave(skewed(1_600_000_000))
    client.instant("m", NOW_S)
    assert client.server_time_s == 1_600_000_000.0
    server.heal()
    server.misbehave(replied(400, b"no", Date="yesterday"))
    with pytest.raises(QueryRejectedError):
        client.instant("m", NOW_S)
    assert client.server_time_s is None


def test_gzip_is_asked_for_where_the_network_is_slow(server, client_of):
    client = client_of(server.url, is_compressed=True)
    server.misbehave(zipped())
    assert len(client.instant("m", NOW_S)) == 2
    assert server.seen[0].headers["accept-encoding"] == "gzip"
    assert client.counts.snapshot().answer_bytes == len(json.dumps(MATRIX))


def test_the_build_of_a_server_is_told_where_it_has_one(client_of):
    body = b'{"status":"success","data":{"version":"3.5.0","revision":7}}'
    with FaultProxy(answer=lambda _seen: Reply(body=body)) as server:
        client = client_of(server.url + "/prefix")
        assert client.build() == {"version": "3.5.0", "revision": "7"}
        assert (server.seen[0].method, server.seen[0].path) == (
            "GET",
            "/prefix/api/v1/status/buildinfo",
        )
        server.misbehave(replied(404, b"404 page not found"), times=1)
        assert client.build() == {}
        server.misbehave(replied(401, b"no"), times=1)
        with pytest.raises(QueryRejectedError, match="check the credentials"):
            client.build()
        server.misbehave(replied(200, b"[1]", "application/json"), times=1)
        with pytest.raises(AnswerError, match="does not describe a build"):
            client.build()
        assert sum(client.counts.snapshot().queries.values()) == 0


def test_a_missing_secret_is_known_before_the_first_query(tmp_path):
    with pytest.raises(UsageError, match="token: cannot be read: No such file"):
        PrometheusClient(Connection(url="http://server", bearer_token_file=tmp_path / "token"))


def test_a_secret_that_vanishes_later_costs_that_query_only(server, client_of, tmp_path):
    token = tmp_path / "token"
    token.write_text("one")
    client = client_of(server.url, bearer_token_file=token)
    token.unlink()
    with pytest.raises(SourceUnavailableError, match=r"not asked: .*token: cannot be read"):
        client.instant("m", NOW_S)
    assert server.seen == []
    token.write_text("two")
    client.instant("m", NOW_S)
    assert server.seen[0].headers["authorization"] == "Bearer two"


def test_the_proxy_forwards_to_the_server_behind_it(server, client_of):
    with FaultProxy(server.url) as proxy:
        client = client_of(proxy.url)
        assert len(client.instant("m", NOW_S)) == 2
        assert server.seen[0].form == proxy.seen[0].form
