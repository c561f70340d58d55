"""Names of objects as users write them, checked before anything is looked up by them.

A name goes into the path of a request to the API server and, of workloads and pools, into a label.
"""

from __future__ import annotations

import re

from recommender.errors import Problem

LONGEST_NAME = 253
_PART = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_PART}(?:\.{_PART})*")
_LETTERS = (
    "lower-case letters, digits, '-' and '.', with a letter or a digit at both ends of each part"
)


def is_name(text: str, *, longest: int = LONGEST_NAME) -> bool:
    """Return whether a text is a DNS-1123 name of at most so many characters."""
    return len(text) <= longest and _NAME.fullmatch(text) is not None


def name_problem(text: str, path: str, *, longest: int = LONGEST_NAME) -> Problem | None:
    """Return why a text at ``path`` is no name; None where it is one."""
    if is_name(text, longest=longest):
        return None
    allowed = f"at most {longest} {_LETTERS}"
    if len(text) > longest:
        start = text[:40]
        return Problem(path, f"{start!r}... has {len(text)} characters; allowed: {allowed}")
    return Problem(path, f"{text!r} is not valid; allowed: {allowed}")
