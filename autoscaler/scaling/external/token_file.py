"""A bearer token in a file, which may be replaced while the process runs.

Kubernetes renews a mounted Secret in place.  The file is looked at with each request, and read only
where it changed.
"""

from __future__ import annotations

import hmac
import logging
import threading
from typing import TYPE_CHECKING

from autoscaler.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_BYTES = 4096
SHORTEST_BYTES = 16
"""A shorter one can be guessed."""
SCHEME = "bearer"
_log = logging.getLogger(__name__)


class TokenFile:
    """The token that requests must bear; may be used by several threads."""

    def __init__(self, path: Path) -> None:
        """Read the file.  Raises ``UsageError`` where it cannot be used."""
        self._path = path
        self._lock = threading.Lock()
        self._mark: tuple[int, int, int] | None = None
        self._token = b""
        self._token, self._mark = self._read()

    def matches(self, authorization: str | None) -> bool:
        """Return whether an ``Authorization`` header bears the token.

        How long the comparison takes does not depend on how much of the token is right.
        """
        scheme, _, given = (authorization or "").partition(" ")
        is_bearer = scheme.lower() == SCHEME
        is_same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._now())
        return is_bearer and is_same

    def _now(self) -> bytes:
        with self._lock:
            try:
                if _mark_of(self._path) != self._mark:
                    self._token, self._mark = self._read()
                    _log.info("%s: the token was renewed", self._path)
            except (OSError, UsageError) as error:
                # It is being replaced, or somebody made a mistake: what was agreed on stays.
                _log.warning("the token stays as it was: %s", error)
            return self._token

    def _read(self) -> tuple[bytes, tuple[int, int, int]]:
        try:
            mark = _mark_of(self._path)
            with self._path.open("rb") as file:
                token = file.read(LARGEST_BYTES + 1).strip()
        except OSError as error:
            raise UsageError(f"{self._path}: {error.strerror or error}") from error
        is_plain = all(0x21 <= byte <= 0x7E for byte in token)
        if not is_plain or not SHORTEST_BYTES <= len(token) <= LARGEST_BYTES:
            raise UsageError(
                f"{self._path} holds no usable token; allowed: {SHORTEST_BYTES} to {LARGEST_BYTES} "
                "visible ASCII characters without spaces"
            )
        return token, mark


def _mark_of(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
