"""Reads the body of a response in small steps and within a limit.

The limit holds for what the body is after decompression: a small gzip body can hold gigabytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from autoscaler.errors import AnswerError

STEP_BYTES = 256 * 2**10
GZIP_FORMAT = 16 + zlib.MAX_WBITS
GZIP_NAMES = frozenset({"gzip", "x-gzip"})


class CutError(AnswerError):
    """The body ended before its end; asking again may help."""


def read_body(response: BaseHTTPResponse, limit_bytes: int) -> bytearray:
    """Return the whole decoded body.

    Raises ``AnswerError`` where it is larger than the limit or encoded in an unknown way,
    ``CutError`` where its end is missing, and the errors of ``urllib3``.
    """
    stated = response.length_remaining
    if stated is not None and stated > limit_bytes:
        raise _too_large(f" of {stated} bytes", limit_bytes)
    body = bytearray()
    for step in _steps(response):
        body += step
        if len(body) > limit_bytes:
            raise _too_large("", limit_bytes)
    return body


def read_beginning(response: BaseHTTPResponse, wanted_bytes: int) -> bytes:
    """Return the first bytes of a body that is only to be quoted, or what can be read of them."""
    body = bytearray()
    try:
        for step in _steps(response):
            body += step
            if len(body) >= wanted_bytes:
                break
    except (AnswerError, HTTPError):
        # The answer is useless for a reason that is already known; the quotation is shorter.
        return bytes(body[:wanted_bytes])
    return bytes(body[:wanted_bytes])


def _too_large(size: str, limit_bytes: int) -> AnswerError:
    return AnswerError(
        f"the answer{size} is larger than the {limit_bytes} bytes that are taken "
        "(prometheus.maxAnswer)"
    )


def _steps(response: BaseHTTPResponse) -> Iterator[bytes]:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in GZIP_NAMES:
        return _unzipped(_raw_steps(response))
    if encoding in {"identity", ""}:
        return _raw_steps(response)
    raise AnswerError(
        f"the answer is encoded as {encoding!r}, which was not asked for; identity and gzip can be "
        "read: does a proxy on the way change the encoding?"
    )


def _raw_steps(response: BaseHTTPResponse) -> Iterator[bytes]:
    while step := response.read1(STEP_BYTES, decode_content=False):
        yield step


def _unzipped(steps: Iterator[bytes]) -> Iterator[bytes]:
    stream = zlib.decompressobj(GZIP_FORMAT)
    is_within = False
    for step in steps:
        rest = step
        has_more = True
        while has_more:
            try:
                text = stream.decompress(rest, STEP_BYTES)
            except zlib.error as error:
                raise AnswerError(f"the answer is no gzip, as its header says: {error}") from error
            yield text
            is_within = not stream.eof
            rest = stream.unconsumed_tail
            # A full step may leave decompressed bytes within the stream and no input.
            has_more = bool(rest) or len(text) == STEP_BYTES
            if stream.eof:
                # Another member may follow.
                rest = stream.unused_data
                has_more = bool(rest)
                stream = zlib.decompressobj(GZIP_FORMAT)
    if is_within:
        raise CutError("the answer was cut short: its gzip stream has no end")
