"""Says why there was no answer of an API server, or none that can be used, in a user's words.

``urllib3`` wraps the errors of the layers below, so that the kind of the outermost one says little:
all that it was made of is looked through.
"""

from __future__ import annotations

import http.client
import socket
import ssl

import urllib3.exceptions

from autoscaler.error_chain import ErrorChain, chain_of, first_of
from autoscaler.errors import ApiUnavailableError
from autoscaler.printable import printable


def error_of_exception(
    what: str, url: str, error: Exception, *, connect_s: float, read_s: float
) -> ApiUnavailableError:
    """Return what an exception of ``urllib3``, TLS or the socket means.

    ``what`` was asked (method and path) of the server at ``url``; the seconds are the time-outs.
    """
    chain = chain_of(error)
    reason = (
        _tls_reason(chain) or _time_reason(chain, connect_s, read_s) or _socket_reason(chain, error)
    )
    return ApiUnavailableError(f"{what}: no answer of {url}: {reason}")


def _tls_reason(chain: ErrorChain) -> str | None:
    error = first_of(chain, ssl.SSLError) or first_of(chain, urllib3.exceptions.SSLError)
    if error is None or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        said = getattr(error, "verify_message", "") or str(error)
        return (
            f"the certificate of the server is not accepted: {printable(said)}; the kubeconfig's "
            "certificate-authority names the certificates that may have signed it"
        )
    # Only errors of OpenSSL itself have a reason.
    said = (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
    return f"TLS failed: {printable(said)}"


def _time_reason(chain: ErrorChain, connect_s: float, read_s: float) -> str | None:
    connecting = first_of(chain, urllib3.exceptions.ConnectTimeoutError)
    # A refused connection is of that kind too, for the sake of history.
    if connecting is not None and not isinstance(connecting, urllib3.exceptions.NewConnectionError):
        return f"no connection within {connect_s:g} s"
    if first_of(chain, TimeoutError, urllib3.exceptions.ReadTimeoutError) is not None:
        return f"nothing came for {read_s:g} s"
    return None


def _socket_reason(chain: ErrorChain, error: Exception) -> str:
    name = first_of(chain, socket.gaierror)
    if name is not None:
        return f"the name of the host cannot be resolved: {name.strerror}"
    if first_of(chain, ConnectionRefusedError) is not None:
        return "connection refused"
    if first_of(chain, urllib3.exceptions.ProxyError) is not None:
        return f"the proxy of the environment or the kubeconfig failed: {_said(chain, error)}"
    if (
        first_of(chain, ConnectionResetError, BrokenPipeError, ssl.SSLError) is not None
        or first_of(chain, http.client.IncompleteRead, http.client.RemoteDisconnected) is not None
    ):
        return "the connection was closed before the answer was complete"
    return _said(chain, error)


def _said(chain: ErrorChain, error: Exception) -> str:
    system = (one.strerror for one in chain if isinstance(one, OSError) and one.strerror)
    return printable(next(system, str(error) or type(error).__name__))
