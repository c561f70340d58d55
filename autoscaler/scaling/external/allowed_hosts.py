"""Which addresses the installation lets workloads have asked.

Whoever may write a profile may name any address, and the autoscaler would ask it from inside the
cluster.  So nothing is asked but what the installation lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from autoscaler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

ALLOWED_ENTRY = (
    "HOST or HOST:PORT, where HOST is a name, an IP address ([…] around IPv6) or *.SUFFIX, with "
    "http:// or https:// before it to allow that scheme alone"
)
ALLOWED_URL = "http:// or https://, a host, and no user name, space or backslash"
LARGEST_PORT = 65535
_PLACE = r"(?P<host>[A-Za-z0-9_-][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
_ENTRY = re.compile(rf"(?:(?P<scheme>https?)://)?(?P<any>\*\.)?{_PLACE}")
# Narrower than the standard, so that every reader of URLs sees the same host in it.
_URL = re.compile(rf"(?P<scheme>https?)://{_PLACE}(?:[/?#][!-\[\]-~]*)?")
_DEFAULT_PORT = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    scheme: str | None
    host: str
    is_suffix: bool
    port: int | None


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The list of an installation; an empty one allows nothing."""

    entries: tuple[_Entry, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Read entries.  Raises ``UsageError`` that names the first one that is wrong."""
        return cls(tuple(_entry(text) for text in texts))

    def refusal(self, url: str) -> str:
        """Return why a URL is not asked, as one sentence; empty: it may be."""
        match = _URL.fullmatch(url)
        if match is None or not 0 < _port(match) <= LARGEST_PORT:
            return f"the address is not valid; allowed: {ALLOWED_URL}"
        # A dot at the end stays: such a name is looked up in another place than one without.
        scheme, host, port = match["scheme"], match["host"].lower(), _port(match)
        if any(_covers(entry, scheme, host, port) for entry in self.entries):
            return ""
        return (
            f"{place_of(url)} is not on the list of addresses that this installation asks "
            "(--external-scaler-allow)"
        )


def place_of(url: str) -> str:
    """Return scheme, host and port of a URL: its path and query may hold what is secret."""
    match = _URL.fullmatch(url)
    if match is None:
        return "the address"
    port = f":{match['port']}" if match["port"] else ""
    return f"{match['scheme']}://{match['host']}{port}"


def _entry(text: str) -> _Entry:
    match = _ENTRY.fullmatch(text.strip())
    port = int(match["port"]) if match is not None and match["port"] else None
    is_port = port is None or 0 < port <= LARGEST_PORT
    if match is None or not is_port or (match["any"] and match["host"].startswith("[")):
        raise UsageError(f"--external-scaler-allow {text!r} is not valid; allowed: {ALLOWED_ENTRY}")
    return _Entry(
        scheme=match["scheme"], host=match["host"].lower(), is_suffix=bool(match["any"]), port=port
    )


def _covers(entry: _Entry, scheme: str, host: str, port: int) -> bool:
    is_host = host.endswith(f".{entry.host}") if entry.is_suffix else host == entry.host
    return is_host and entry.scheme in (None, scheme) and entry.port in (None, port)


def _port(match: re.Match[str]) -> int:
    return int(match["port"]) if match["port"] else _DEFAULT_PORT[match["scheme"]]
