"""Queries of one Prometheus: one method per kind of query, typed errors, counted outcomes.

The one policy of repeating is here: a query is only read, so that it may be repeated, but a server
that took too long or refused it would do so again.  Not here: what to ask for and in which pieces.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar

from prometheus_api_client import PrometheusConnect
from urllib3 import Retry

from autoscaler.sources.prometheus.answer import Answer
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.faults import Fault
from autoscaler.sources.prometheus.query_counts import Outcome, QueryCounts
from autoscaler.sources.prometheus.session import QuerySession

WAITS_S = (0.5, 2.0)
"""Before the second and the third attempt; there is no fourth."""
LONGEST_RETRY_AFTER_S = 10.0
"""A server that asks for more is left alone until the next query."""
SHORTEST_ATTEMPT_S = 0.001
DEADLINES_OF_A_QUERY = 3
"""All attempts and waits of a query end within so many deadlines of one attempt."""
_Result = TypeVar("_Result")


class PrometheusClient:
    """A server that speaks the Prometheus HTTP API; one client per thread.

    Raises ``UsageError`` where a file of the connection is missing, unreadable or empty.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        counts: QueryCounts | None = None,
        wait: Callable[[float], None] = time.sleep,
        monotonic_s: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._connection = connection
        self._counts = QueryCounts() if counts is None else counts
        self._wait = wait
        self._monotonic_s = monotonic_s
        self._now_s = now_s
        self._twin: PrometheusClient | None = None
        self._session = QuerySession(connection, monotonic_s)
        self._connect = PrometheusConnect(
            connection.url.rstrip("/"),
            session=self._session,
            method="POST",
            retry=Retry(0),
            timeout=connection.deadline_s,
        )

    def twin(self) -> PrometheusClient:
        """Return another client of the same server, for another thread; always the same one.

        Both count together, and are closed together.
        """
        if self._twin is None:
            self._twin = PrometheusClient(
                self._connection,
                counts=self._counts,
                wait=self._wait,
                monotonic_s=self._monotonic_s,
                now_s=self._now_s,
            )
        return self._twin

    @property
    def connection(self) -> Connection:
        """Return how the server is reached."""
        return self._connection

    @property
    def counts(self) -> QueryCounts:
        """Return the counts of the queries, which other clients may share."""
        return self._counts

    @property
    def server_time_s(self) -> float | None:
        """Return UTC seconds by the server's clock at its last response; None: not told."""
        return self._session.server_time_s

    def know(self, label_texts: Container[bytes]) -> None:
        """From now on leave label sets of these texts unread, the twin too."""
        self._session.known_labels = label_texts
        if self._twin is not None:
            self._twin.know(label_texts)

    def instant(self, query: str, at_s: float) -> Answer:
        """Evaluate a query at one moment, to the millisecond.  Raises a ``SourceError``."""
        parameters = {"time": f"{at_s:.3f}", **self._parameters()}
        return self._counted(lambda: self._connect.custom_query(query, params=parameters))

    def range(self, query: str, start_s: int, end_s: int, step_s: int) -> Answer:
        """Evaluate a query at ``start_s``, ``start_s + step_s`` and so on, up to ``end_s``.

        Raises a ``SourceError``.
        """
        start, end = (datetime.fromtimestamp(time_s, UTC) for time_s in (start_s, end_s))
        return self._counted(
            lambda: self._connect.custom_query_range(
                query, start, end, str(step_s), params=self._parameters()
            )
        )

    def build(self) -> Mapping[str, str]:
        """Return what the server says of its build, such as ``version``; empty: no such page.

        Raises a ``SourceError``.  Not counted, for it is no query.
        """
        try:
            return self._repeated(self._session.build)
        except Fault as fault:
            if fault.status == HTTPStatus.NOT_FOUND:
                return {}
            raise fault.error from fault

    def close(self) -> None:
        """Close all connections."""
        self._connect.close()
        if self._twin is not None:
            self._twin.close()

    def _parameters(self) -> dict[str, str]:
        return {**self._connection.parameters, "timeout": f"{self._connection.query_timeout_s:g}"}

    def _counted(self, ask: Callable[[], Answer]) -> Answer:
        start_s = self._monotonic_s()
        try:
            answer = self._repeated(ask)
        except Fault as fault:
            self._counts.observe(
                fault.outcome,
                duration_s=self._monotonic_s() - start_s,
                now_s=self._now_s(),
                error=str(fault.error),
            )
            raise fault.error from fault
        self._counts.observe(
            Outcome.PARTIAL if answer.warnings else Outcome.OK,
            duration_s=self._monotonic_s() - start_s,
            now_s=self._now_s(),
            samples=len(answer),
            answer_bytes=self._session.answer_bytes,
        )
        return answer

    def _repeated(self, ask: Callable[[], _Result]) -> _Result:
        """Return the result of the first attempt that succeeds, or raise the last ``Fault``."""
        deadline_s = self._connection.deadline_s
        end_s = self._monotonic_s() + DEADLINES_OF_A_QUERY * deadline_s
        waits = iter(WAITS_S)
        while True:
            # A wait may last longer than it should, on a machine that slept.
            left_s = max(end_s - self._monotonic_s(), SHORTEST_ATTEMPT_S)
            self._session.allowed_s = min(deadline_s, left_s)
            try:
                return ask()
            except Fault as fault:
                asked_s = fault.retry_after_s or 0.0
                pause_s = max(next(waits, math.inf), asked_s)
                is_late = self._monotonic_s() + pause_s >= end_s
                if not fault.may_repeat or asked_s > LONGEST_RETRY_AFTER_S or is_late:
                    raise
            self._wait(pause_s)
            self._counts.retried()
