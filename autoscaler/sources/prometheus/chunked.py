"""Reading a long time chunk by chunk: two queries at once, and shorter ones where one was too much.

While one answer is decoded here, the server works on the next; more than two at once would only
load it.  Who is asked and what is made of an answer is the business of ``read``.
"""

from __future__ import annotations

from concurrent.futures import Future
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING

from autoscaler.errors import AnswerError, QueryRejectedError, QueryTimeoutError, SourceError
from autoscaler.sources.prometheus import chunks

if TYPE_CHECKING:
    from collections.abc import Callable

    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.reading import Piece

    Read = Callable[[PrometheusClient, int, int], Piece]
    """Reads ``[from_s, upto_s)`` by a client; may run on another thread."""


class ChunkedReader:
    """Reads by one server, and remembers which chunks were too long for it.

    Not safe for use by several threads.
    """

    def __init__(self, client: PrometheusClient) -> None:
        self._clients = client, client.twin()
        self._longest_s: dict[str, int] = {}

    def read(
        self, metric: str, span: tuple[int, int], length_s: int, read: Read, *, whole_s: int
    ) -> list[Piece]:
        """Read a span in chunks of ``length_s`` at most, multiples of ``whole_s``.

        After a chunk that was too much, shorter ones are read, from then on for this metric.  What
        fails in the shortest one is not its length's fault, and makes no later chunk shorter.
        Raises the ``SourceError`` of the first chunk that could not be read.
        """
        from_s, end_s = span
        pieces: list[Piece] = []
        longest_s = min(length_s, self._longest_s.get(metric, length_s))
        while from_s < end_s:
            for part, found in self._next(read, from_s, end_s, longest_s):
                if isinstance(found, SourceError):
                    longest_s = _shorter_s(found, part[1] - part[0], whole_s)
                    break
                pieces.append(found)
                from_s = part[1]
                if longest_s < length_s:
                    self._longest_s[metric] = longest_s
        return pieces

    def _next(
        self, read: Read, from_s: int, end_s: int, length_s: int
    ) -> list[tuple[tuple[int, int], Piece | SourceError]]:
        """Return the next chunk and the one after it, with what came of each."""
        first = from_s, chunks.chunk_end_s(from_s, end_s, length_s)
        if first[1] == end_s:
            return [(first, _outcome(read, self._clients[0], first))]
        second = first[1], chunks.chunk_end_s(first[1], end_s, length_s)
        beside: Future[Piece | SourceError] = Future()
        # A thread that does not keep the process from ending, whatever the server does.
        Thread(target=_fulfil, args=(beside, read, self._clients[1], second), daemon=True).start()
        of_first = _outcome(read, self._clients[0], first)
        return [(first, of_first), (second, beside.result())]


def _fulfil(
    future: Future[Piece | SourceError],
    read: Read,
    client: PrometheusClient,
    part: tuple[int, int],
) -> None:
    try:
        future.set_result(_outcome(read, client, part))
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)


def _outcome(read: Read, client: PrometheusClient, part: tuple[int, int]) -> Piece | SourceError:
    try:
        return read(client, *part)
    except SourceError as error:
        return error


def _shorter_s(error: SourceError, length_s: int, whole_s: int) -> int:
    """Return the next shorter length to try; raises the error where there is none."""
    shorter_s = chunks.shorter_s(length_s)
    if not _may_be_too_much(error) or shorter_s is None or shorter_s % whole_s:
        raise error
    return shorter_s


def _may_be_too_much(error: SourceError) -> bool:
    """Return whether a server may answer to less: it refuses too many samples as 422."""
    if isinstance(error, QueryRejectedError):
        return error.http_status == HTTPStatus.UNPROCESSABLE_ENTITY
    return isinstance(error, QueryTimeoutError | AnswerError)
