"""How a Prometheus server is reached: plain values, no network and no secret.

Secrets stand in files and only their paths are here, so that a connection can be shown, logged and
compared; ``credentials`` reads the files at each request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from autoscaler.errors import UsageError

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110 section 5.6.2."""
HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")
"""Visible ASCII with blanks inside, which every server reads in the same way."""
OWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say how the body is carried; they are not the user's to set."""
PATH_OF_API = re.compile(
    r"/api/v1(?:/(?:query|query_range|series|labels|metadata|targets|rules|read|write))?/*$"
)
"""What users copy with the address.  Further on, as in a proxy's path, it belongs to the prefix."""
OWN_PARAMETERS = frozenset({"query", "time", "start", "end", "step", "timeout"})
"""Parameters that each query sets itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Address, limits and credentials (as files) of one server.

    Raises ``UsageError`` with all problems at once.
    """

    url: str
    """``http(s)://host[:port][/prefix]``; the paths of the API, ``/api/v1/...``, follow it."""
    query_timeout_s: float = 60.0
    """Sent with each query; with ``connect_timeout_s`` the deadline of one attempt."""
    connect_timeout_s: float = 5.0
    answer_bytes: int = 256 * 2**20
    """Largest decoded answer that is taken."""
    is_compressed: bool = False
    """Whether to ask for gzip: less traffic, and about eight times the time on a fast network."""
    bearer_token_file: Path | None = None
    basic_user: str | None = None
    basic_password_file: Path | None = None
    ca_file: Path | None = None
    """Certificates (PEM) that may have signed the server's; None: those of ``certifi``."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    """Key of ``certificate_file``; None: in the same file."""
    is_verified: bool = True
    """Whether the server's certificate is checked."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    header_files: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    """Headers whose values stand in files, for example ``X-Scope-OrgID``."""
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Added to every query, for example ``db=public`` or ``dedup=true``."""
    proxy_url: str | None = None

    def __post_init__(self) -> None:
        problems = [
            *_address_problems(self),
            *_number_problems(self),
            *_credential_problems(self),
            *_header_problems(self),
        ]
        if problems:
            raise UsageError("\n".join(f"Prometheus connection: {text}" for text in problems))

    @property
    def deadline_s(self) -> float:
        """Return how long one attempt may take, from connecting to the last byte."""
        return self.connect_timeout_s + self.query_timeout_s


def connection_problem(url: str) -> str | None:
    """Return what is wrong with a server's URL, never quoting a password; None: nothing."""
    problem = _url_problem(url)
    return None if problem is None else f"{problem}; give http(s)://host[:port][/prefix]"


def _url_problem(url: str) -> str | None:
    if not url or any(not "\x21" <= letter <= "\x7e" for letter in url):
        return "the URL is empty or holds blanks, control characters or more than ASCII"
    if "@" in url:
        return (
            "the URL holds a user name or password, which would be shown and logged: give the "
            "user name, and a file with the password, apart"
        )
    if "?" in url or "#" in url:
        return "the URL holds a query or a fragment, which may be secret: give parameters apart"
    return _problem_of_parts(url)


def _problem_of_parts(url: str) -> str | None:
    parts = _parts(url)
    if parts is None:
        # Not quoted: in place of a port may stand a password whose @ was encoded or forgotten.
        return (
            "the URL cannot be read: a port is a number from 1 to 65535, and an IPv6 address "
            "stands in brackets"
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return f"the URL {url!r} lacks http:// or https://, or names no host"
    path_of_api = PATH_OF_API.search(parts.path)
    if path_of_api is None:
        return None
    return f"the URL ends in a path of the API: leave out {path_of_api.group()}"


def _parts(url: str) -> SplitResult | None:
    """Return the parts of a URL; None where it has none, or a port that nobody listens on."""
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return None
    return parts if has_port else None


def _address_problems(connection: Connection) -> list[str]:
    problem = connection_problem(connection.url)
    problems = [] if problem is None else [f"url: {problem}"]
    if connection.proxy_url is not None:
        problem = connection_problem(connection.proxy_url)
        problems += [] if problem is None else [f"proxy_url: {problem}"]
    return problems


def _number_problems(connection: Connection) -> list[str]:
    numbers = {
        "query_timeout_s": connection.query_timeout_s,
        "connect_timeout_s": connection.connect_timeout_s,
        "answer_bytes": connection.answer_bytes,
    }
    return [
        f"{name}: {value!r} is not allowed; give a finite number above 0"
        for name, value in numbers.items()
        if not 0 < value < float("inf")
    ]


def _credential_problems(connection: Connection) -> list[str]:
    problems = []
    if connection.bearer_token_file is not None and connection.basic_user is not None:
        problems.append("bearer_token_file and basic_user exclude each other; give one of them")
    elif (connection.basic_user is None) != (connection.basic_password_file is None):
        problems.append("basic_user and basic_password_file belong together; give both or neither")
    if connection.basic_user is not None and ":" in connection.basic_user:
        problems.append(
            "basic_user: a user name with a colon cannot be sent by basic authentication"
        )
    if connection.key_file is not None and connection.certificate_file is None:
        problems.append("key_file: a key without certificate_file has no use")
    return problems


def _header_problems(connection: Connection) -> list[str]:
    problems = []
    names = [*connection.headers, *connection.header_files]
    for name in names:
        if HEADER_NAME.fullmatch(name) is None:
            problems.append(f"header {name!r}: the name is not allowed; give letters, digits and -")
        if name.lower() in OWN_HEADERS:
            problems.append(f"header {name!r} is set for each request and cannot be given")
    lowered = [name.lower() for name in names]
    if connection.bearer_token_file is not None or connection.basic_user is not None:
        lowered.append("authorization")
    problems += [
        f"header {name!r} is given twice"
        for name in sorted(set(lowered))
        if lowered.count(name) > 1
    ]
    problems += [
        f"header {name!r}: the value is empty or holds control characters or more than ASCII"
        for name, value in connection.headers.items()
        if HEADER_VALUE.fullmatch(value) is None
    ]
    problems += [
        f"parameter {name!r} is set by each query and cannot be given"
        for name in connection.parameters
        if name in OWN_PARAMETERS
    ]
    return problems
