"""Decodes answers of the Prometheus HTTP API into columns, without an object per sample.

A matrix is nearly all numbers in one fixed form, ``[[stamp,"value"],[stamp,"value"]]``.  Those runs
are cut out of the body and read as numbers at once; what is left, the skeleton with labels and
warnings, is small and goes through a JSON parser.  Runs in another form (blanks inside) stay in the
skeleton and are brought into that form, so that all numbers are checked and read in one place.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from autoscaler.errors import AnswerError
from autoscaler.garbage_collection import collection_paused
from recommender.observation import Ints

RUN_START = b'"values":[['
"""Quotes inside a JSON string are escaped, so that no label value holds this."""
RUN_END = b'"]]'
SAMPLE_FORM = b'[,""]'
"""What is left of a sample without the letters of numbers."""
NUMBER_LETTERS = b"0123456789.+-eEinfINFaN"
PARSED_BYTES = 64 * 2**20
"""Largest JSON that is parsed, 130,000 series with 500 bytes of labels: 3 GiB of memory.  Runs of
samples do not count; they take less memory than their text."""
LATEST_S = 2.0**37
"""In the year 6325: what is beyond is no time in seconds."""
END_BYTES = 64
"""White space after an answer is shorter."""
BLOCK_BYTES = 2 * 2**20
"""Numbers are read in blocks of about this size, so that no copy of the whole text is made."""

_Text = tuple[bytes | bytearray, int, int]
"""Samples as text, ``[stamp,"value"],...``, from one place of a buffer to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Samples of one query, series after series, in the order of the server."""

    labels: tuple[Mapping[str, str], ...]
    """Per series, as the server wrote them; a scalar is one series without labels."""
    length: Ints
    """Samples per series; 0 where a series has native histograms only."""
    ts: NDArray[np.float64]
    """Stamps in seconds, with milliseconds; for a vector the time of evaluation."""
    value: NDArray[np.float64]
    """May hold NaN and infinities."""
    warnings: tuple[str, ...]
    """What the server says is missing or doubtful: the answer is partial."""
    infos: tuple[str, ...] = ()
    """Remarks on the query that leave the answer whole."""

    @property
    def series(self) -> NDArray[np.int32]:
        """Return the index into ``labels`` of each sample."""
        return np.repeat(np.arange(len(self.labels), dtype=np.int32), self.length)

    def __len__(self) -> int:
        return len(self.ts)


def decode(body: bytes | bytearray) -> Answer:
    """Decode a matrix, vector or scalar.

    Native histograms are left out.  Raises ``AnswerError`` for anything that is no complete and
    successful answer.
    """
    # A body that was cut short is told before it is parsed, which may take much memory.
    if not body[-END_BYTES:].rstrip().endswith(b"}"):
        raise _no_json(body)
    # Nobody can have written a key into the body that is drawn after it came.
    key = secrets.token_hex(8)
    skeleton, runs = _cut(body, key)
    try:
        return _decoded(_parsed(skeleton, body), body, runs, key)
    except AnswerError:
        if not runs or len(body) > PARSED_BYTES:
            raise
    # Perhaps the runs hold blanks, or other JSON than Prometheus writes: slow, but as it says.
    return _decoded(_parsed(body, body), body, [], key)


def _cut(body: bytes | bytearray, key: str) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the body with each run of samples replaced, and the runs' places.

    Instead of ``"values":[[...]]`` stands ``"<key>":<number of the run>``.  A place is that of the
    samples, ``[...],[...]``.
    """
    pieces: list[bytes | bytearray] = []
    runs: list[tuple[int, int]] = []
    kept_to = 0
    start = body.find(RUN_START)
    while start >= 0:
        first = start + len(RUN_START) - 1
        end = body.find(RUN_END, first)
        if end < 0:
            break
        # After a backslash the quote does not open a name but is part of one.
        if body[start - 1 : start] != b"\\":
            pieces += [body[kept_to:start], f'"{key}":{len(runs)}'.encode()]
            kept_to = end + len(RUN_END)
            runs.append((first, kept_to - 1))
        start = body.find(RUN_START, end)
    pieces.append(body[kept_to:])
    return b"".join(pieces), runs


def _parsed(skeleton: bytes | bytearray, body: bytes | bytearray) -> dict[str, Any]:
    if len(skeleton) > PARSED_BYTES:
        raise AnswerError(
            f"the labels of the answer are {len(skeleton)} bytes, more than the {PARSED_BYTES} "
            "that are taken; ask for fewer series (prometheus.selector)"
        )
    try:
        with collection_paused():
            envelope = orjson.loads(skeleton)
    except orjson.JSONDecodeError as error:
        # Its own text counts the letters of the skeleton, which nobody has seen.
        raise _no_json(body) from error
    if not isinstance(envelope, dict):
        raise AnswerError("the answer is JSON, but not of the Prometheus API: it is no object")
    return envelope


def _no_json(body: bytes | bytearray) -> AnswerError:
    return AnswerError(f"the answer of {len(body)} bytes is no JSON, or was cut short")


def _decoded(
    envelope: Mapping[str, Any], body: bytes | bytearray, runs: Sequence[tuple[int, int]], key: str
) -> Answer:
    status = envelope.get("status")
    if status != "success":
        raise AnswerError(f"the status of the answer is {status!r}, not 'success'")
    labels: list[Mapping[str, str]] = []
    texts: list[_Text] = []
    for item in _items(envelope.get("data")):
        labels.append(_labels_of(item))
        if key in item:
            if "values" in item:
                raise AnswerError("a series of the answer has its samples twice")
            texts.append((body, *runs[item[key]]))
        else:
            written = orjson.dumps(_samples_of(item))
            texts.append((written, 1, len(written) - 1))
    length = np.array([text.count(b"[", *place) for text, *place in texts], np.int64)
    numbers = _numbers(texts, length)
    return Answer(
        labels=tuple(labels),
        length=length,
        ts=np.ascontiguousarray(numbers[:, 0]),
        value=np.ascontiguousarray(numbers[:, 1]),
        warnings=_warnings(envelope),
        infos=_sentences(envelope.get("infos")),
    )


def _items(data: Any) -> list[Any]:
    """Return the series of any type of result in the form of a matrix or a vector."""
    kind = data.get("resultType") if isinstance(data, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if kind == "scalar":
        return [{"metric": {}, "value": result}]
    if kind not in ("matrix", "vector"):
        raise AnswerError(
            f"the type of the result is {kind!r}; matrix, vector and scalar can be read"
        )
    if not isinstance(result, list):
        raise AnswerError(f"the result of type {kind!r} is no list")
    return result


def _labels_of(item: Any) -> Mapping[str, str]:
    labels = item.get("metric") if isinstance(item, dict) else None
    if not isinstance(labels, dict) or not set(map(type, labels.values())) <= {str}:
        raise AnswerError("a series of the answer has no labels, or a label that is no text")
    return labels


def _samples_of(item: Mapping[str, Any]) -> list[Any]:
    """Return the samples of a series that stand in the parsed JSON, as a list of pairs."""
    if "values" in item:
        samples = item["values"]
    elif "value" in item:
        samples = [item["value"]]
    elif "histogram" in item or "histograms" in item:
        samples = []
    else:
        raise AnswerError("a series of the answer has no samples")
    if not isinstance(samples, list):
        raise AnswerError("the samples of a series are no list")
    return samples


def _numbers(texts: Sequence[_Text], length: Ints) -> NDArray[np.float64]:
    """Return stamps and values of all samples, ``[sample, 2]``."""
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
    return np.concatenate(blocks) if blocks else np.empty((0, 2))


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


def _warnings(envelope: Mapping[str, Any]) -> tuple[str, ...]:
    said = _sentences(envelope.get("warnings"))
    # VictoriaMetrics says nothing more than this where a storage node is away.
    if envelope.get("isPartial") is True:
        return (*said, "the server marks the answer as partial (isPartial)")
    return said


def _sentences(said: Any) -> tuple[str, ...]:
    if not said:
        return ()
    return tuple(str(sentence) for sentence in said) if isinstance(said, list) else (str(said),)
