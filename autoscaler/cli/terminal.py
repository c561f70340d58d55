"""What a person sees beside the result: notes, errors and progress, all on stderr.

stdout belongs to the result (``output``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO

from autoscaler.printable import printable

Progress = Callable[[float], None]
"""Takes the share that is done, 0 to 1."""


class ProgressMode(StrEnum):
    """When a progress bar is shown."""

    AUTO = "auto"
    """When stderr is a terminal."""
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """How much is said on stderr."""

    verbosity: int = 0
    """-1: errors only, 0: notes too, 1 and more: details too."""
    progress_mode: ProgressMode = ProgressMode.AUTO

    def note(self, text: str) -> None:
        """Say something that the user should know."""
        if self.verbosity >= 0:
            _say(text)

    def detail(self, text: str) -> None:
        """Say something that only ``-v`` asks for."""
        if self.verbosity >= 1:
            _say(text)

    def hint(self, text: str) -> None:
        """Say what could be done next, to a person only: stderr is a terminal."""
        if self.verbosity >= 0 and is_terminal(sys.stderr):
            _say(text)

    @contextmanager
    def progress(self, description: str) -> Iterator[Progress]:
        """Show how far a long piece of work is, when stderr is a terminal."""
        is_shown = (
            self.progress_mode is ProgressMode.AUTO
            and self.verbosity >= 0
            and is_terminal(sys.stderr)
        )
        if not is_shown:
            yield lambda _share: None
            return
        from rich.console import Console
        from rich.progress import Progress as Bar

        with Bar(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(description, total=1.0)
            yield lambda share: bar.update(task, completed=share)


def fail(text: str) -> None:
    """Say why a command ends; every line of ``text`` is one problem."""
    _say("\n".join(f"error: {line}" for line in text.splitlines()))


def has_color(*, is_refused: bool) -> bool:
    """Return whether stdout takes colours: a terminal, and neither NO_COLOR nor --no-color."""
    return not is_refused and not os.environ.get("NO_COLOR") and is_terminal(sys.stdout)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a person reads a standard stream; a closed one is None."""
    return stream is not None and stream.isatty()


def _say(text: str) -> None:
    """Write lines that may quote what others wrote, which must not move the cursor."""
    if sys.stderr is not None:
        sys.stderr.write("".join(f"{printable(line)}\n" for line in text.split("\n")))
