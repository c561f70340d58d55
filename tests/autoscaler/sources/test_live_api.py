import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from autoscaler.errors import (
    AnswerError,
    QueryTimeoutError,
    SourceUnavailableError,
    UsageError,
)
from autoscaler.sources.live_api import LiveApi
from autoscaler.sources.live_server import LiveServer
from tests.fakes.serving import serving_http


class Replies(BaseHTTPRequestHandler):
    """Answers one reply after the other, the last one again and again; notes what was asked."""

    replies = ()
    asked = ()

    def do_GET(self):
        self.asked.append((self.path, dict(self.headers)))
        status, headers, body = self.replies[min(len(self.asked), len(self.replies)) - 1]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", headers.get("Content-Length", str(len(body))))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Slow(Replies):
    """Sends a header and then nothing."""

    stopped = None

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"a")
        self.wfile.flush()
        self.stopped.wait(10)


class Pauses:
    """A clock that a pause moves."""

    def __init__(self):
        self.now_s = 0.0
        self.taken = []

    def monotonic_s(self):
        return self.now_s

    def pause(self, seconds):
        self.taken.append(seconds)
        self.now_s += seconds


def ok(body=b"{}", **headers):
    return 200, headers, body


def problem(status, text="no luck", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, b'{"error":"' + text.encode() + b'"}'


def ask(*replies, path="/x", token=None, clock=None):
    """Return the answer, and what was asked."""
    asked = []
    times = clock or Pauses()
    with serving_http(Replies, replies=replies, asked=asked) as url:
        api = LiveApi(
            LiveServer(url=url, token=token), monotonic_s=times.monotonic_s, pause=times.pause
        )
        return api.get(path), asked


def test_an_answer_is_its_body_and_its_age():
    answer, asked = ask(ok(b'{"a":1}', Age="7"), path="/api/v1/report")

    assert (answer.body, answer.age_s) == (b'{"a":1}', 7.0)
    [(path, headers)] = asked
    assert path == "/api/v1/report"
    assert "Authorization" not in headers


def test_a_token_is_sent_as_bearer():
    _, [(_, headers)] = ask(ok(), token="secret")

    assert headers["Authorization"] == "Bearer secret"


def test_a_token_is_not_shown():
    assert "secret" not in repr(LiveServer(url="http://tfa", token="secret"))


def test_a_path_prefix_of_the_address_is_kept():
    asked = []
    with serving_http(Replies, replies=(ok(),), asked=asked) as url:
        LiveApi(LiveServer(url=f"{url}/proxy/")).get("/api/v1/report")

    assert [path for path, _ in asked] == ["/proxy/api/v1/report"]


def test_where_there_is_nothing_to_tell_yet_it_is_asked_again():
    clock = Pauses()
    not_yet = problem(503, "chat-0 leads", Retry_After="2")

    answer, asked = ask(not_yet, not_yet, ok(b'{"a":1}'), clock=clock)

    assert answer.body == b'{"a":1}'
    assert len(asked) == 3
    assert clock.taken == [2.0, 2.0]


def test_patience_has_an_end_that_says_why():
    clock = Pauses()
    with pytest.raises(SourceUnavailableError, match="chat-0 leads"):
        ask(problem(503, "chat-0 leads", Retry_After="600"), clock=clock)

    assert set(clock.taken) == {5.0}
    assert sum(clock.taken) <= 90


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (problem(404, "no workload 'x'"), UsageError, "no workload 'x'"),
        (problem(400, "limit: 0"), UsageError, "limit: 0"),
        (problem(401), SourceUnavailableError, "a token is needed; give --autoscaler-token-file"),
        (problem(500, "a defect"), AnswerError, "HTTP 500: a defect"),
        ((404, {}, b"<html>"), AnswerError, "not as an autoscaler does"),
        ((503, {}, b"upstream"), AnswerError, "HTTP 503"),
        ((302, {"Location": "http://elsewhere/"}, b""), AnswerError, "HTTP 302"),
        ((200, {"Content-Length": "50"}, b"short"), SourceUnavailableError, "before the answer"),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), SourceUnavailableError, "connection"),
        (problem(500, "\\u001b[31mred"), AnswerError, "HTTP 500: \ufffd\\[31mred"),
    ],
)
def test_what_went_wrong_is_said(reply, kind, words):
    with pytest.raises(kind, match=words):
        ask(reply)


def test_a_token_that_is_refused_is_said_to_be_so():
    with pytest.raises(SourceUnavailableError, match="the token is not accepted") as raised:
        ask(problem(401), token="secret-token")

    assert "secret-token" not in str(raised.value)


def test_nobody_at_the_address_is_said_with_what_to_look_at():
    with pytest.raises(SourceUnavailableError, match="connection refused; is it the address"):
        LiveApi(LiveServer(url="http://127.0.0.1:1")).get("/")


def test_a_name_that_is_not_there_is_said_to_be_so():
    with pytest.raises(SourceUnavailableError, match="cannot be resolved"):
        LiveApi(LiveServer(url="http://nothing.invalid")).get("/")


def test_a_slow_answer_ends_at_the_deadline():
    stopped = threading.Event()
    with serving_http(Slow, stopped=stopped) as url:
        api = LiveApi(LiveServer(url=url), deadline_s=0.2)
        with pytest.raises(QueryTimeoutError, match=r"within 0\.2 s"):
            api.get("/")
        stopped.set()


@pytest.mark.parametrize(
    "url", ["", "tfa", "ftp://tfa", "http://", "http://u:p@tfa", "http://tfa/?q=1", "http://a b"]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match=r"^--autoscaler: .*give http"):
        LiveServer(url=url)


def test_a_file_of_authorities_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match="--ca-file: /nowhere is no file"):
        LiveServer(url="https://tfa", ca_file=Path("/nowhere"))
