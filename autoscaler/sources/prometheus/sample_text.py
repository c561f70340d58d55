"""Reads the samples of an answer, which are text, as numbers: all at once, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from autoscaler.errors import AnswerError
from autoscaler.garbage_collection import collection_paused
from recommender.observation import Ints

SAMPLE_FORM = b'[,""]'
"""What is left of a sample without the letters of numbers."""
NUMBER_LETTERS = b"0123456789.+-eEinfINFaN"
LATEST_S = 2.0**37
"""In the year 6325: what is beyond is no time in seconds."""
BLOCK_BYTES = 2 * 2**20
"""Numbers are read in blocks of about this size, so that no copy of the whole text is made."""

SampleText = tuple[bytes | bytearray, int, int]
"""Samples as text, ``[stamp,"value"],...``, from one place of a buffer to another."""


def numbers_of(texts: Sequence[SampleText]) -> tuple[Ints, NDArray[np.float64]]:
    """Return how many samples each text has, and stamps and values of all, ``[sample, 2]``.

    Raises ``AnswerError`` where a text is of another form, or something in it is no number.
    """
    length = np.array([text.count(b"[", *place) for text, *place in texts], np.int64)
    blocks: list[NDArray[np.float64]] = []
    pieces: list[bytes | bytearray] = []
    size = 0
    for (text, start, end), count in zip(texts, length, strict=True):
        if count == 0 and start == end:
            continue
        pieces.append(text[start:end])
        size += end - start
        if size >= BLOCK_BYTES:
            blocks.append(_block(b",".join(pieces)))
            pieces, size = [], 0
    if pieces:
        blocks.append(_block(b",".join(pieces)))
    return length, np.concatenate(blocks) if blocks else np.empty((0, 2))


def _block(text: bytes) -> NDArray[np.float64]:
    """Return the numbers of ``[stamp,"value"],[stamp,"value"]``."""
    count = text.count(b"[")
    form = text.translate(None, NUMBER_LETTERS)
    if form != b",".join([SAMPLE_FORM] * count) or not _has_letters_inside_only(text):
        raise AnswerError('the samples are not of the form [stamp, "value"]')
    numbers = _read_numbers(text.translate(None, b'[]"'))
    if len(numbers) != 2 * count:
        raise AnswerError("a stamp or value of the answer is no number")
    pairs: NDArray[np.float64] = numbers.reshape(-1, 2)
    # Written so that NaN is found too.
    if not (np.abs(pairs[:, 0]) < LATEST_S).all():
        raise AnswerError("a stamp of the answer is no time in seconds")
    return pairs


def _read_numbers(text: bytes) -> NDArray[np.float64]:
    """Return the numbers of a text that are separated by commas, up to what is none.

    As JSON they are read several times as fast as by numpy, which knows NaN and infinities too.
    """
    if b"N" not in text and b"I" not in text:
        try:
            with collection_paused():
                found = orjson.loads(b"[%b]" % text)
                return np.fromiter(found, np.float64, len(found))
        except (orjson.JSONDecodeError, OverflowError):
            pass
    try:
        # Where a number cannot be read, the reading ends before the closing one.
        return np.fromstring(text + b",0", sep=",")[:-1]
    except ValueError:
        return np.empty(0)


def _has_letters_inside_only(text: bytes) -> bool:
    """Return whether no number stands between the marks of ``[stamp,"value"],[stamp,"value"]``.

    That the marks are these, and in this order, is known already.
    """
    letters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(letters == ord('"'))
    before = letters[quotes[::2] - 1]
    after = quotes[1:-1:2]
    return bool(
        text.startswith(b"[")
        and text.endswith(b'"]')
        and (before == ord(",")).all()
        and (letters[after + 1] == ord("]")).all()
        and (letters[after + 2] == ord(",")).all()
        and (letters[after + 3] == ord("[")).all()
    )
