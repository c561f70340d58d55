"""The metrics as one tick reads them: a server that does not answer is not waited for again.

A tick reads several metrics one after the other, and waits for each as long as a query may take.
Of a server that is down the first says it for all; the next tick asks again.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.errors import QueryTimeoutError, SourceError, SourceUnavailableError

if TYPE_CHECKING:
    from autoscaler.prometheus_settings import PrometheusSettings
    from autoscaler.sources.source import MetricsSource, Samples

MOST_TIMEOUTS = 2
"""One metric alone may be too much for a server, and must not keep the others from being read."""
LEAST_TIMEOUT_S = 30.0
TICKS_OF_A_QUERY = 2


class TickSource:
    """A ``MetricsSource`` in front of another one, for the loop's thread."""

    def __init__(self, source: MetricsSource) -> None:
        self._source = source
        self._timeouts = 0
        self._down: SourceError | None = None

    def begin(self) -> None:
        """Begin a tick: the server is asked again."""
        self._timeouts, self._down = 0, None

    def metrics(self) -> frozenset[str]:
        """Return the metrics of the source behind."""
        return self._source.metrics()

    def read(self, metric: str, start_s: int, end_s: int, step_s: int) -> Samples:
        """Read from the source behind; raises at once what it raised before, if it is down."""
        if self._down is not None:
            raise self._down
        try:
            return self._source.read(metric, start_s, end_s, step_s)
        except SourceUnavailableError as error:
            self._down = error
            raise
        except QueryTimeoutError as error:
            self._timeouts += 1
            if self._timeouts >= MOST_TIMEOUTS:
                self._down = error
            raise


def settings_of_ticks(server: PrometheusSettings, tick_s: float) -> PrometheusSettings:
    """Return the settings of a server for ticks: no query takes much longer than a tick."""
    longest_s = max(LEAST_TIMEOUT_S, TICKS_OF_A_QUERY * tick_s)
    timeout_s = min(server.connection.query_timeout_s, longest_s)
    access = MappingProxyType({**server.access, "query_timeout_s": timeout_s})
    return replace(server, access=access)
