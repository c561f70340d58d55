"""Texts that others wrote, harmless wherever they are shown.

Labels and the words of a server may hold escape sequences that move a terminal's cursor, letters
that turn the direction of a line, or line ends that begin a new one in a file.
"""

from __future__ import annotations

UNKNOWN = "\ufffd"
"""The replacement character of Unicode."""


def printable(text: str, instead: str = UNKNOWN) -> str:
    """Return a text with ``instead`` for each letter that does not stand for itself in print."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else instead for letter in text)
