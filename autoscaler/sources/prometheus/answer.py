"""Decodes answers of the Prometheus HTTP API into columns, without an object per sample.

A matrix is nearly all numbers in one fixed form, ``[[stamp,"value"],[stamp,"value"]]``.  Those runs
are cut out of the body and read as numbers at once, and label sets that are known already are not
read at all (``label_texts``).  An answer in another form is cut into such runs and a skeleton with
labels and warnings, which goes through a JSON parser; runs in another form (blanks inside) stay in
the skeleton and are brought into that form, so that all numbers are checked and read in one place.
"""

from __future__ import annotations

import secrets
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from autoscaler.errors import AnswerError
from autoscaler.garbage_collection import collection_paused
from autoscaler.sources.prometheus.label_texts import (
    LabelSets,
    LabelTexts,
    are_label_sets,
    is_of_texts,
)
from autoscaler.sources.prometheus.sample_text import SampleText, numbers_of
from recommender.observation import Ints

FIRST_SERIES = b'"result":[{"metric":'
NEXT_SERIES = b'},{"metric":'
LAST_SERIES = b"}]"
NO_SERIES = b'"result":[]'
"""A matrix as Prometheus writes it has these between the label sets and the runs of samples."""
RUN_START = b'"values":[['
"""Quotes inside a JSON string are escaped, so that no label value holds this."""
RUN_END = b'"]]'
PARSED_BYTES = 64 * 2**20
"""Largest JSON that is parsed, 130,000 series with 500 bytes of labels: 3 GiB of memory.  Runs of
samples do not count; they take less memory than their text."""
END_BYTES = 64
"""White space after an answer is shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Samples of one query, series after series, in the order of the server."""

    labels: LabelSets
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


class _Matrix(NamedTuple):
    """A matrix in the form that Prometheus writes, cut into pieces."""

    labels: LabelTexts
    runs: list[tuple[int, int]]
    """Places of the samples of each series, ``[...],[...]``."""
    rest: bytes
    """The body without its series."""


def decode(body: bytes | bytearray, known: Container[bytes] = frozenset()) -> Answer:
    """Decode a matrix, vector or scalar.

    Native histograms are left out.  Label sets whose texts are ``known`` to be such are not read.
    Raises ``AnswerError`` for anything that is no complete and successful answer.
    """
    # A body that was cut short is told before it is parsed, which may take much memory.
    if not body[-END_BYTES:].rstrip().endswith(b"}"):
        raise _no_json(body)
    matrix = _matrix(body, known)
    if matrix is not None:
        try:
            return _answer_of_matrix(matrix, body)
        except AnswerError:
            if len(body) > PARSED_BYTES:
                raise
    return _decode_parsed(body)


def _answer_of_matrix(matrix: _Matrix, body: bytes | bytearray) -> Answer:
    envelope = _parsed(matrix.rest, body)
    if _items(_successful(envelope).get("data")):
        raise AnswerError("the answer has two results")
    return _answer(envelope, matrix.labels, [(body, *run) for run in matrix.runs])


def _matrix(body: bytes | bytearray, known: Container[bytes]) -> _Matrix | None:
    """Return the pieces of a matrix; None where the body is something else, or written otherwise.

    Each piece is looked at by itself: where label sets and samples are what they should be, and the
    rest is an answer, the whole is that answer.
    """
    start = body.find(FIRST_SERIES)
    at = start + len(FIRST_SERIES)
    texts: list[bytes] = []
    runs: list[tuple[int, int]] = []
    is_next = start >= 0
    while is_next:
        run = body.find(RUN_START, at)
        end = body.find(RUN_END, run)
        if min(run, end) < 0 or body[run - 1] != ord(","):
            return None
        texts.append(bytes(body[at : run - 1]))
        at = end + len(RUN_END)
        runs.append((run + len(RUN_START) - 1, at - 1))
        is_next = body.startswith(NEXT_SERIES, at)
        at += len(NEXT_SERIES) * is_next
    if not texts or not body.startswith(LAST_SERIES, at):
        return None
    new = [text for text in texts if text not in known]
    _require_few(sum(map(len, new)))
    if not are_label_sets(new):
        return None
    rest = bytes(body[:start]) + NO_SERIES + bytes(body[at + len(LAST_SERIES) :])
    return _Matrix(LabelTexts(texts), runs, rest)


def _decode_parsed(body: bytes | bytearray) -> Answer:
    """Decode by way of a JSON parser, as far as runs of samples do not spare it."""
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
    _require_few(len(skeleton))
    try:
        with collection_paused():
            envelope = orjson.loads(skeleton)
    except orjson.JSONDecodeError as error:
        # Its own text counts the letters of the skeleton, which nobody has seen.
        raise _no_json(body) from error
    if not isinstance(envelope, dict):
        raise AnswerError("the answer is JSON, but not of the Prometheus API: it is no object")
    return envelope


def _require_few(parsed_bytes: int) -> None:
    if parsed_bytes > PARSED_BYTES:
        raise AnswerError(
            f"the labels of the answer are {parsed_bytes} bytes, more than the {PARSED_BYTES} "
            "that are taken; ask for fewer series (prometheus.selector)"
        )


def _no_json(body: bytes | bytearray) -> AnswerError:
    return AnswerError(f"the answer of {len(body)} bytes is no JSON, or was cut short")


def _decoded(
    envelope: Mapping[str, Any], body: bytes | bytearray, runs: Sequence[tuple[int, int]], key: str
) -> Answer:
    labels: list[Mapping[str, str]] = []
    texts: list[SampleText] = []
    for item in _items(_successful(envelope).get("data")):
        labels.append(_labels_of(item))
        if key in item:
            if "values" in item:
                raise AnswerError("a series of the answer has its samples twice")
            texts.append((body, *runs[item[key]]))
        else:
            written = orjson.dumps(_samples_of(item))
            texts.append((written, 1, len(written) - 1))
    return _answer(envelope, tuple(labels), texts)


def _answer(envelope: Mapping[str, Any], labels: LabelSets, texts: Sequence[SampleText]) -> Answer:
    length, numbers = numbers_of(texts)
    return Answer(
        labels=labels,
        length=length,
        ts=np.ascontiguousarray(numbers[:, 0]),
        value=np.ascontiguousarray(numbers[:, 1]),
        warnings=_warnings(envelope),
        infos=_sentences(envelope.get("infos")),
    )


def _successful(envelope: Mapping[str, Any]) -> Mapping[str, Any]:
    status = envelope.get("status")
    if status != "success":
        raise AnswerError(f"the status of the answer is {status!r}, not 'success'")
    return envelope


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
    if not is_of_texts(labels):
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
