"""Answers as bytes, made once and sent often: with a tag for caches, and compressed."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass

GZIP_LEVEL = 6
LEAST_COMPRESSED_BYTES = 1024
"""Smaller texts are sent as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One text in both encodings."""

    content_type: str
    plain: bytes
    compressed: bytes | None
    """In gzip; None where that is not worth it."""
    tag: str
    """Of the text, whatever its encoding."""


def encoded(text: str | bytes, content_type: str) -> Encoded:
    """Return a text as it is sent; equal texts are equal bytes."""
    plain = text.encode() if isinstance(text, str) else text
    compressed = None
    if len(plain) >= LEAST_COMPRESSED_BYTES:
        compressed = gzip.compress(plain, GZIP_LEVEL, mtime=0)
    return Encoded(
        content_type=content_type,
        plain=plain,
        compressed=compressed,
        tag=hashlib.blake2b(plain, digest_size=16).hexdigest(),
    )
