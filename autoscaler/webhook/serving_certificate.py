"""The certificate that the webhook serves with, exchanged in place while it serves.

Each handshake takes the context of the newest chain and key; connections that are open keep theirs.
Loading a new pair into the context that listens would not do: OpenSSL keeps one for each kind of
key there, and would go on to show an old elliptic-curve one beside a new RSA one.  Whatever cannot
be served with is refused, and the one before it stays.
Where certificates come from is ``certificate_sources``; who makes them is not here at all.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
"""A file system in memory, so that a key is on no disk; where it is missing, the usual place."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCounts:
    """What became of the certificates that were offered."""

    loads: int
    refusals: int
    problem: str
    """Why the last one was refused; empty when the last one was taken."""
    expires_s: float | None
    """UTC seconds at which the one that is served with ends; None before the first."""


class ServingCertificate:
    """The TLS context of the server.  Used on the thread of the event loop only."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.context = _context()
        """To listen with; it has no certificate itself."""
        self.context.sni_callback = self._choose
        self._newest = self.context
        self.arrived = asyncio.Event()
        """Set once there is one to serve with."""
        self._now_s = now_s
        self._pair = (b"", b"")
        self._loads = 0
        self._refusals = 0
        self._problem = ""
        self._expires_s: float | None = None

    def offer(self, chain: bytes, key: bytes) -> bool:
        """Serve new connections with this chain and key (PEM), unless they cannot be used.

        Returns whether they are served with.  The same pair again changes nothing.
        """
        if (chain, key) == self._pair:
            return True
        try:
            expires_s = _end_of(chain, self._now_s())
            context = _context()
            _load(context, chain, key)
        except (ValueError, OSError) as error:
            self.refuse(str(error))
            return False
        self._pair, self._expires_s, self._newest = (chain, key), expires_s, context
        self._loads += 1
        self.arrived.set()
        self._problem = ""
        _log.info("serving with a certificate that ends at %s", _moment(expires_s))
        return True

    def refuse(self, problem: str) -> None:
        """Note that what was offered cannot be used; repeated problems are logged once."""
        self._refusals += 1
        if problem != self._problem:
            kept = (
                "the one before it stays"
                if self.arrived.is_set()
                else "there is none to serve with"
            )
            _log.error("the certificate cannot be used (%s); %s", problem, kept)
        self._problem = problem

    def problems(self) -> tuple[str, ...]:
        """Return why the server cannot be reached by TLS."""
        if self._expires_s is None:
            return (f"no certificate to serve with: {self._problem or 'none was found yet'}",)
        if self._expires_s <= self._now_s():
            return (f"the certificate ended at {_moment(self._expires_s)}",)
        return ()

    def _choose(
        self, handshake: ssl.SSLObject, _server_name: str | None, _listening: ssl.SSLContext
    ) -> None:
        """Let a handshake go on with the newest certificate, whatever name it is for."""
        handshake.context = self._newest

    def snapshot(self) -> CertificateCounts:
        """Return the counts of now."""
        return CertificateCounts(
            loads=self._loads,
            refusals=self._refusals,
            problem=self._problem,
            expires_s=self._expires_s,
        )


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _end_of(chain: bytes, now_s: float) -> float:
    """Return when the serving certificate ends; raises ``ValueError`` where it cannot be used."""
    try:
        served = x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        raise ValueError("the chain holds no certificate in PEM") from error
    expires_s = served.not_valid_after_utc.timestamp()
    if expires_s <= now_s:
        raise ValueError(f"it ended at {_moment(expires_s)}")
    return expires_s


def _load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Load a pair, which OpenSSL takes from files only; they are gone when this returns."""
    memory = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix="tfa-", dir=memory) as folder:
        files = Path(folder) / "tls.crt", Path(folder) / "tls.key"
        for path, content in zip(files, (chain, key), strict=True):
            path.touch(mode=0o600)
            path.write_bytes(content)
        try:
            # Without a password that is refused, an encrypted key would be asked for at a terminal.
            context.load_cert_chain(*files, password=_no_password)
        except ssl.SSLError as error:
            raise ValueError(
                f"chain and key do not fit or are no PEM: {error.reason or error}"
            ) from error


def _no_password() -> str:
    raise ValueError("the key is encrypted; an unencrypted one is needed")


def _moment(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat().replace("+00:00", "Z")
