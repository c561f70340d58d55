import errno
import socket
import ssl
from http.client import IncompleteRead

import pytest
import requests
from urllib3.exceptions import (
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
)

from autoscaler.errors import AnswerError, QueryTimeoutError, SourceUnavailableError
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.connection_faults import fault_of_exception

URL = "http://prometheus:9090"
CONNECTION = Connection(url=URL)


def fault_of(error, connection=CONNECTION):
    return fault_of_exception(connection, error, lambda text: text.replace("hunter2", "***"))


def as_requests_raises(cause):
    """Return an error of the socket in the wrappers of the libraries."""
    refused = NewConnectionError(None, f"failed: {cause}")
    refused.__cause__ = cause
    return requests.ConnectionError(MaxRetryError(None, "/", refused))


@pytest.mark.parametrize(
    ("cause", "error", "may_repeat", "text"),
    [
        (ConnectionRefusedError(), SourceUnavailableError, True, "connection refused"),
        (ConnectionResetError(), SourceUnavailableError, True, "closed before the end"),
        (BrokenPipeError(), SourceUnavailableError, True, "closed before the end"),
        (
            socket.gaierror(-2, "Name or service not known"),
            SourceUnavailableError,
            False,
            "cannot be resolved: Name or service not known",
        ),
        (
            OSError(errno.ENETUNREACH, "Network is unreachable"),
            SourceUnavailableError,
            False,
            "no connection: Network is unreachable",
        ),
        (TimeoutError("timed out"), QueryTimeoutError, False, "no complete answer within 65 s"),
        (
            TimeoutError("_ssl.c:990: The handshake operation timed out"),
            SourceUnavailableError,
            False,
            "no connection within 5 s (prometheus.connectTimeout)",
        ),
        (ssl.SSLEOFError(), SourceUnavailableError, True, "closed before the end"),
        (ssl.SSLError("odd"), SourceUnavailableError, False, "TLS failed: ('odd',); check"),
    ],
)
def test_the_error_of_the_socket_decides_whatever_wraps_it(cause, error, may_repeat, text):
    for wrapped in (
        cause,
        as_requests_raises(cause),
        requests.ConnectionError(ProtocolError("Connection aborted.", cause)),
    ):
        fault = fault_of(wrapped)
        assert type(fault.error) is error
        assert fault.may_repeat == may_repeat
        assert str(fault.error).startswith(f"{URL}: ")
        assert text in str(fault.error)


def test_a_timeout_of_the_library_alone_is_a_timeout_of_the_query():
    fault = fault_of(requests.ReadTimeout(ReadTimeoutError(None, "/", "Read timed out.")))
    assert type(fault.error) is QueryTimeoutError


def test_an_error_behind_a_proxy_names_the_proxy():
    connection = Connection(url=URL, proxy_url="http://proxy:3128")
    wrapped = requests.exceptions.ProxyError(
        MaxRetryError(None, "/", ProxyError("Unable to connect", ConnectionRefusedError()))
    )
    text = str(fault_of(wrapped, connection).error)
    assert text.startswith(f"{URL}: through the proxy http://proxy:3128: connection refused")


def test_an_unknown_error_is_told_in_its_own_words_without_secrets():
    fault = fault_of(requests.exceptions.InvalidHeader("bad value hunter2"))
    assert type(fault.error) is SourceUnavailableError
    assert str(fault.error) == f"{URL}: no connection: bad value ***"


def test_errors_that_cause_one_another_in_a_circle_are_looked_through_once():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert str(fault_of(first).error) == f"{URL}: no connection: a"


def test_what_is_cut_is_no_answer_but_may_come_whole():
    fault = fault_of(ProtocolError("Connection broken", IncompleteRead(b"1", 2)))
    assert type(fault.error) is AnswerError
    assert fault.may_repeat
