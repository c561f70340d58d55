"""Credentials as they stand in their files at the moment of a request.

Mounted secrets are replaced while the process runs, so that nothing is kept between requests but
the marks by which a change of TLS files is seen.  No text of an error holds what a file holds.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from autoscaler.errors import UsageError
from autoscaler.sources.prometheus.connection import HEADER_VALUE, Connection

SECRET_BYTES = 64 * 2**10
"""No token is so large; a file that is, is another file."""
SHORTEST_HIDDEN = 4
"""Texts shorter than this are not looked for: they would hide half of a message."""
HIDDEN = "***"
TOKEN = "prometheus.tokenFile (--prometheus-token-file)"  # noqa: S105 - a name, no secret
PASSWORD = "prometheus.passwordFile"  # noqa: S105
HEADER = "prometheus.headerFiles.{} (--prometheus-header-file)"
TLS = ("prometheus.caFile (--ca-file)", "prometheus.certFile", "prometheus.keyFile")
"""Where users name the files, for messages."""
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Headers of one request, and the texts in them that nobody may see."""

    headers: dict[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def hide(self, text: str) -> str:
        """Return the text without any secret, for a server may repeat what it was sent."""
        forms = {form for secret in self.secrets for form in _forms(secret)}
        for form in sorted(forms, key=len, reverse=True):
            if len(form) >= SHORTEST_HIDDEN:
                text = text.replace(form, HIDDEN)
        return text


def _forms(secret: str) -> tuple[str, ...]:
    """Return a secret as it stands in plain text, in JSON and in a URL."""
    return secret, json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe="")


def read_credentials(connection: Connection) -> Credentials:
    """Read all files of a connection that hold headers.

    Raises ``UsageError`` naming the setting and the file where one is missing, unreadable, empty,
    or holds what no header can carry.
    """
    headers = dict(connection.headers)
    secrets = []
    for name, path in connection.header_files.items():
        headers[name] = _named(HEADER.format(name), _header_value, path)
        secrets.append(headers[name])
    if connection.bearer_token_file is not None:
        token = _named(TOKEN, _header_value, connection.bearer_token_file)
        headers["Authorization"] = f"Bearer {token}"
        secrets.append(token)
    if connection.basic_password_file is not None:
        password = _named(PASSWORD, _secret, connection.basic_password_file)
        pair = base64.b64encode(f"{connection.basic_user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
        secrets += [password, pair]
    return Credentials(headers=headers, secrets=tuple(secrets))


def tls_marks(connection: Connection) -> tuple[tuple[int, int, int], ...]:
    """Return what changes when a TLS file does.

    Raises ``UsageError`` naming the setting and the file where one is missing or unreadable.
    """
    files = (connection.ca_file, connection.certificate_file, connection.key_file)
    return tuple(
        _named(place, _mark, path)
        for place, path in zip(TLS, files, strict=True)
        if path is not None
    )


def _named(place: str, read: Callable[[Path], _Read], path: Path) -> _Read:
    """Return what is read from a file; an error says in which setting the file stands."""
    try:
        return read(path)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from error


def _mark(path: Path) -> tuple[int, int, int]:
    beginning, status = _read(path, 1)
    if not beginning:
        raise UsageError(f"{path}: is empty; certificates and keys in PEM form are expected")
    return status.st_mtime_ns, status.st_size, status.st_ino


def _secret(path: Path) -> str:
    """Return the text of a file without the line end that editors and ``echo`` add."""
    content, _ = _read(path, SECRET_BYTES + 1)
    if len(content) > SECRET_BYTES:
        raise UsageError(f"{path}: is larger than {SECRET_BYTES} bytes; is this the secret?")
    try:
        text = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        # The original error holds the content.
        raise UsageError(f"{path}: is not UTF-8 text") from None
    if not text:
        raise UsageError(f"{path}: is empty; a secret on one line is expected")
    return text


def _read(path: Path, size_bytes: int) -> tuple[bytes, os.stat_result]:
    """Return the first bytes of a file, and its status before they were read.

    Not of a pipe, such as that of a shell's ``<(...)``: it gives its text once, or waits for ever.
    """
    try:
        status = path.stat()
        if stat.S_ISFIFO(status.st_mode):
            raise UsageError(
                f"{path}: is a pipe; a file is expected, because it is read again for each query"
            )
        with path.open("rb") as file:
            return file.read(size_bytes), status
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _header_value(path: Path) -> str:
    text = _secret(path)
    if HEADER_VALUE.fullmatch(text) is None:
        raise UsageError(
            f"{path}: holds blanks at an end, more than one line, control characters or more than "
            "ASCII; one line that a header can carry is expected"
        )
    return text
