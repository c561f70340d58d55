"""Says why there was no answer of an API server, or none that can be used, in a user's words.

``urllib3`` wraps the errors of the layers below, so that the kind of the outermost one says little:
all that it was made of is looked through.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import TypeVar

import urllib3.exceptions

from autoscaler.errors import ApiUnavailableError
from autoscaler.printable import printable

_Error = TypeVar("_Error", bound=BaseException)


def error_of_exception(
    what: str, url: str, error: Exception, *, connect_s: float, read_s: float
) -> ApiUnavailableError:
    """Return what an exception of ``urllib3``, TLS or the socket means.

    ``what`` was asked (method and path) of the server at ``url``; the seconds are the time-outs.
    """
    chain = tuple(_chain(error))
    reason = (
        _tls_reason(chain) or _time_reason(chain, connect_s, read_s) or _socket_reason(chain, error)
    )
    return ApiUnavailableError(f"{what}: no answer of {url}: {reason}")


def _tls_reason(chain: tuple[BaseException, ...]) -> str | None:
    error = _first(chain, ssl.SSLError) or _first(chain, urllib3.exceptions.SSLError)
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


def _time_reason(chain: tuple[BaseException, ...], connect_s: float, read_s: float) -> str | None:
    connecting = _first(chain, urllib3.exceptions.ConnectTimeoutError)
    # A refused connection is of that kind too, for the sake of history.
    if connecting is not None and not isinstance(connecting, urllib3.exceptions.NewConnectionError):
        return f"no connection within {connect_s:g} s"
    if _first(chain, TimeoutError, urllib3.exceptions.ReadTimeoutError) is not None:
        return f"nothing came for {read_s:g} s"
    return None


def _socket_reason(chain: tuple[BaseException, ...], error: Exception) -> str:
    name = _first(chain, socket.gaierror)
    if name is not None:
        return f"the name of the host cannot be resolved: {name.strerror}"
    if _first(chain, ConnectionRefusedError) is not None:
        return "connection refused"
    if _first(chain, urllib3.exceptions.ProxyError) is not None:
        return f"the proxy of the environment or the kubeconfig failed: {_said(chain, error)}"
    if (
        _first(chain, ConnectionResetError, BrokenPipeError, ssl.SSLError) is not None
        or _first(chain, http.client.IncompleteRead, http.client.RemoteDisconnected) is not None
    ):
        return "the connection was closed before the answer was complete"
    return _said(chain, error)


def _said(chain: tuple[BaseException, ...], error: Exception) -> str:
    system = (one.strerror for one in chain if isinstance(one, OSError) and one.strerror)
    return printable(next(system, str(error) or type(error).__name__))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it was made of; ``urllib3`` nests them in three ways."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _first(chain: tuple[BaseException, ...], *kinds: type[_Error]) -> _Error | None:
    return next((error for error in chain if isinstance(error, kinds)), None)
