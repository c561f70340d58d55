"""Options that name a running autoscaler, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.errors import UsageError
from autoscaler.sources.live_server import LiveServer

LIVE = "Running autoscaler"
URL, TOKEN_FILE = "--autoscaler", "--autoscaler-token-file"
TOKEN_VARIABLE = "TFA_AUTOSCALER_TOKEN"  # noqa: S105 - a name
BESIDE = frozenset({"--ca-file"})
"""What is of use beside ``--autoscaler`` too."""

AutoscalerOption = Annotated[
    str | None,
    typer.Option(
        URL,
        metavar="URL",
        rich_help_panel=LIVE,
        help="Address of the page of tfa autoscaler: what it knows and has done is shown, and "
        "nothing is computed here.",
    ),
]
AutoscalerTokenFileOption = Annotated[
    Path | None,
    typer.Option(
        TOKEN_FILE,
        metavar="FILE",
        rich_help_panel=LIVE,
        help=f"File with the token that its page asks for. Default: {TOKEN_VARIABLE}.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFlags:
    """What the user gave, unread."""

    url: str | None
    token_file: Path | None
    ca_file: Path | None

    def server(self, others: Sequence[str]) -> LiveServer | None:
        """Return which autoscaler is asked; None: none is named.

        ``others`` are the options of other inputs that were given.  Raises ``UsageError`` where
        there are some, since they would have no effect.
        """
        if self.url is None:
            if self.token_file is not None:
                raise UsageError(f"{TOKEN_FILE}: given without {URL}; allowed: both, or none")
            return None
        needless = [flag for flag in others if flag not in BESIDE]
        if needless:
            raise UsageError(f"give either {URL}, or what it makes needless: {', '.join(needless)}")
        return LiveServer(url=self.url, token=self._token(), ca_file=self.ca_file)

    def _token(self) -> str | None:
        if self.token_file is None:
            return _usable(os.environ.get(TOKEN_VARIABLE, ""), TOKEN_VARIABLE) or None
        try:
            text = self.token_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is no text"
            raise UsageError(f"{TOKEN_FILE}: {self.token_file}: {reason}") from error
        token = _usable(text, f"{TOKEN_FILE}: {self.token_file}")
        if not token:
            raise UsageError(f"{TOKEN_FILE}: {self.token_file}: is empty; allowed: one token")
        return token


NO_LIVE = LiveFlags(url=None, token_file=None, ca_file=None)


def _usable(text: str, where: str) -> str:
    """Return a token without blanks around it; it is not quoted where it is none."""
    token = text.strip()
    if any(not "\x21" <= letter <= "\x7e" for letter in token):
        raise UsageError(f"{where}: holds no token; allowed: visible ASCII without blanks")
    return token
