"""Says what an exchange means that failed before there was an answer.

``requests`` and ``urllib3`` wrap the errors of the layer below, so that the kind of the outermost
one says little: all that it was made of is looked through.
"""

from __future__ import annotations

import http.client
import socket
import ssl

import urllib3.exceptions

from autoscaler.error_chain import ErrorChain, chain_of, first_of
from autoscaler.errors import AnswerError, QueryTimeoutError, SourceUnavailableError
from autoscaler.sources.prometheus.body import CutError
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.faults import (
    TIMEOUT_HINT,
    Fault,
    Hide,
    fault_of_answer,
    fault_of_closing,
    quoted,
)

TUNNEL_FAILED = "Tunnel connection failed"
"""How ``http.client`` begins its text on a proxy that refuses; there is no type for it."""


def fault_of_exception(connection: Connection, error: Exception, hide: Hide) -> Fault:
    """Return what an exception of ``requests``, ``urllib3`` or the socket means."""
    chain = chain_of(error)
    place = connection.url
    if first_of(chain, urllib3.exceptions.ProxyError) is not None:
        place = f"{connection.url}: through the proxy {connection.proxy_url}"
    fault = (
        _tls_fault(chain, place, connection)
        or _time_fault(chain, place, connection)
        or _connection_fault(chain, place, hide)
    )
    if fault is not None:
        return fault
    tunnel = next((text for text in map(str, chain) if text.startswith(TUNNEL_FAILED)), None)
    if tunnel is not None:
        text = f"{place}: {quoted(tunnel, hide)}; check prometheus.proxyUrl"
        return Fault(SourceUnavailableError(text))
    protocol = first_of(chain, http.client.HTTPException, urllib3.exceptions.InvalidHeader)
    if protocol is not None:
        text = f"{place}: the server does not speak HTTP: {quoted(repr(protocol), hide)}"
        return Fault(AnswerError(text))
    # Errors of requests are errors of the system by type, but have no text of it.
    system = (one.strerror for one in chain if isinstance(one, OSError) and one.strerror)
    reason = next(system, str(error))
    return Fault(SourceUnavailableError(f"{place}: no connection: {quoted(reason, hide)}"))


def _tls_fault(chain: ErrorChain, place: str, connection: Connection) -> Fault | None:
    # The library has errors of its own, such as on a key that needs a pass phrase.
    error = first_of(chain, ssl.SSLError) or first_of(chain, urllib3.exceptions.SSLError)
    if error is None:
        return None
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return fault_of_closing(place)
    if isinstance(error, ssl.SSLCertVerificationError):
        said = getattr(error, "verify_message", str(error))
        reason = f"the certificate of the server is not accepted: {said}"
        hint = "prometheus.caFile names the certificates that may have signed it"
    else:
        # Only errors of OpenSSL itself have a reason.
        reason = (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
        hint = _tls_hint(reason, connection)
    return Fault(SourceUnavailableError(f"{place}: TLS failed: {reason}; {hint}"))


def _tls_hint(reason: str, connection: Connection) -> str:
    if any(sign in reason for sign in ("wrong version", "record layer", "http request")):
        return "does the server speak plain http:// on this port?"
    if "alert" in reason:
        return (
            "the server ended the handshake: does it ask for a certificate of the client "
            "(prometheus.certFile and prometheus.keyFile)?"
        )
    if connection.certificate_file is not None:
        return "check prometheus.caFile, prometheus.certFile and prometheus.keyFile"
    return "check prometheus.caFile"


def _time_fault(chain: ErrorChain, place: str, connection: Connection) -> Fault | None:
    if any(_is_of_connecting(error) for error in chain):
        return Fault(
            SourceUnavailableError(
                f"{place}: no connection within {connection.connect_timeout_s:g} s "
                "(prometheus.connectTimeout); does a firewall or a network policy stand between?"
            )
        )
    if first_of(chain, TimeoutError, urllib3.exceptions.ReadTimeoutError) is not None:
        return Fault(
            QueryTimeoutError(
                f"{place}: no complete answer within {connection.deadline_s:g} s "
                f"(prometheus.timeout and prometheus.connectTimeout); {TIMEOUT_HINT}"
            )
        )
    return None


def _is_of_connecting(error: BaseException) -> bool:
    """Return whether a time-out came before the request: in TCP, or in the handshake of TLS."""
    if isinstance(error, TimeoutError):
        return "handshake" in str(error)
    # A refused connection is a NewConnectionError, which is a kind of the other for history's sake.
    return isinstance(error, urllib3.exceptions.ConnectTimeoutError) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    )


def _connection_fault(chain: ErrorChain, place: str, hide: Hide) -> Fault | None:
    name = first_of(chain, socket.gaierror)
    if name is not None:
        text = f"{place}: the name of the host cannot be resolved: {name.strerror}"
        return Fault(SourceUnavailableError(text))
    if first_of(chain, ConnectionRefusedError) is not None:
        text = f"{place}: connection refused; does the server run, and is the port right?"
        return Fault(SourceUnavailableError(text), may_repeat=True)
    if first_of(chain, http.client.IncompleteRead, urllib3.exceptions.IncompleteRead) is not None:
        return fault_of_answer(place, CutError("the answer was cut short"), hide)
    if first_of(chain, ConnectionResetError, BrokenPipeError) is not None:
        return fault_of_closing(place)
    return None
