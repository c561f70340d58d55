import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import (
    AnswerError,
    QueryRejectedError,
    QueryTimeoutError,
    SourceUnavailableError,
)
from autoscaler.sources.prometheus.faults import (
    QUOTED_LETTERS,
    fault_of_status,
    quoted,
    said_by,
)
from autoscaler.sources.prometheus.query_counts import Outcome

URL = "http://prometheus:9090"


def as_it_is(text):
    return text


def said(text, kind=""):
    body = json.dumps({"status": "error", "errorType": kind, "error": text}).encode()
    return said_by(body, as_it_is)


@pytest.mark.parametrize(
    ("status", "kind", "error", "may_repeat"),
    [
        (400, "bad_data", QueryRejectedError, False),
        (401, "", QueryRejectedError, False),
        (403, "", QueryRejectedError, False),
        (404, "", QueryRejectedError, False),
        (408, "", QueryTimeoutError, False),
        (413, "", QueryRejectedError, False),
        (422, "execution", QueryRejectedError, False),
        (422, "timeout", QueryTimeoutError, False),
        (429, "", SourceUnavailableError, True),
        (500, "internal", SourceUnavailableError, False),
        (502, "", SourceUnavailableError, True),
        (503, "unavailable", SourceUnavailableError, True),
        (503, "timeout", QueryTimeoutError, False),
        (504, "", QueryTimeoutError, False),
        (200, "execution", QueryRejectedError, False),
        (200, "timeout", QueryTimeoutError, False),
    ],
)
def test_each_status_has_its_error_and_some_may_be_repeated(status, kind, error, may_repeat):
    fault = fault_of_status(URL, status, said("the server's words", kind))
    assert type(fault.error) is error
    assert fault.may_repeat == may_repeat
    assert str(fault.error).startswith(f"{URL}: HTTP {status}: ")
    assert "the server's words" in str(fault.error)
    if isinstance(fault.error, QueryRejectedError):
        assert fault.error.http_status == status


def test_victoriametrics_names_a_timeout_in_its_words_only():
    text = "timeout exceeded during query execution: 30.000 seconds"
    assert type(fault_of_status(URL, 422, said(text, "422")).error) is QueryTimeoutError
    fault = fault_of_status(URL, 422, said("too many points", "422"))
    assert type(fault.error) is QueryRejectedError
    assert "refused the query: too many points" in str(fault.error)


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "prometheus.tokenFile"),
        (403, "prometheus.headerFiles"),
        (404, "the prefix of prometheus.url"),
        (407, "prometheus.proxyUrl"),
        (413, "longer than the server"),
        (504, "raise prometheus.timeout"),
    ],
)
def test_a_status_says_what_to_look_at(status, hint):
    assert hint in str(fault_of_status(URL, status, said("no")).error)


def test_a_success_without_a_result_is_no_answer():
    fault = fault_of_status(URL, 204, said_by(b"", as_it_is))
    assert type(fault.error) is AnswerError
    assert "the server gives no reason" in str(fault.error)


def test_an_error_counts_under_its_outcome():
    outcomes = [
        fault_of_status(URL, status, said_by(b"", as_it_is)).outcome
        for status in (400, 504, 500, 204)
    ]
    assert outcomes == [
        Outcome.REJECTED,
        Outcome.TIMEOUT,
        Outcome.UNAVAILABLE,
        Outcome.BAD_ANSWER,
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b"404 page not found\n", "404 page not found"),
        (b"<html><title>Sign in &amp; go</title><p>x</p></html>", "Sign in & go"),
        (b"<style>p {}</style><script>if (a<b) {}</script><h1>Bad</h1>gateway", "Bad gateway"),
        (b'{"message":"no tenant"}', '{"message":"no tenant"}'),
        (b'{"status":"error","error":"parse\\nerror"}', "parse error"),
        (b"\xff\x1b[31mred", "\ufffd [31mred"),
    ],
)
def test_the_words_of_a_server_are_found_in_what_it_sends(body, words):
    assert said_by(body, as_it_is).words == words


@given(st.binary(max_size=400))
def test_any_body_gives_one_short_printable_line(body):
    words = said_by(body, as_it_is).words
    assert words.isprintable()
    assert len(words) <= QUOTED_LETTERS + 3


def test_secrets_are_hidden_before_a_text_is_shortened():
    text = "x" * (QUOTED_LETTERS - 3) + "hunter2"
    words = quoted(text, lambda text: text.replace("hunter2", "***"))
    assert words == "x" * (QUOTED_LETTERS - 3) + "***"
