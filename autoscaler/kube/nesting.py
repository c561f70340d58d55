"""JSON of an API server, however deep it is nested.

Kinds with free fields, ours among them, let a user store an object that is nested a thousand
levels deep, which no parser takes: one such object would keep the list of all from being read.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

MOST_LEVELS = 200
"""That are kept of what is nested too deep to be read; nothing that anybody reads is so deep."""
# No part of a text in quotes is tried twice, so that a text without end costs no more than another.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_OPENING, _CLOSING = (b"[", b"{"), (b"]", b"}")


def read_json(text: bytes) -> Any:
    """Return what a JSON text says; where it is too deep, with null for the deepest levels.

    Raises ``orjson.JSONDecodeError`` for what is no JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.loads(cut(text))


def cut(text: bytes) -> bytes:
    """Return a JSON text with null in place of all that is below the levels that are kept."""
    parts, kept_to, level = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in _OPENING:
            level += 1
            if level == MOST_LEVELS + 1:
                parts += [text[kept_to : token.start()], b"null"]
        elif token[0] in _CLOSING:
            if level == MOST_LEVELS + 1:
                kept_to = token.end()
            level -= 1
    return b"".join((*parts, text[kept_to:]))
