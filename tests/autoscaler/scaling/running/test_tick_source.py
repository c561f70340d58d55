"""A server that does not answer is asked once in a tick."""

import pytest

from autoscaler.errors import QueryRejectedError, QueryTimeoutError, SourceUnavailableError
from autoscaler.prometheus_settings import PrometheusSettings
from autoscaler.scaling.running.tick_source import TickSource, settings_of_ticks
from tests.autoscaler.scaling.builders import ListSource

NOBODY = SourceUnavailableError("no connection")
SLOW = QueryTimeoutError("too slow")
REFUSED = QueryRejectedError("no such function")


class Failing(ListSource):
    """Fails in turn with what it is given, then answers."""

    def __init__(self, *errors):
        super().__init__("tflops")
        self.errors = list(errors)
        self.asked = 0

    def read(self, metric, start_s, end_s, step_s):
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return super().read(metric, start_s, end_s, step_s)


def outcomes(source, times):
    """Return the type of the error of each read, None where it went well."""
    found = []
    for _ in range(times):
        try:
            source.read("tflops", 0, 1, 1)
        except (SourceUnavailableError, QueryTimeoutError, QueryRejectedError) as error:
            found.append(type(error))
        else:
            found.append(None)
    return found


@pytest.mark.parametrize(
    ("errors", "expected", "asked"),
    [
        ((), [None, None, None], 3),
        ((NOBODY,), [SourceUnavailableError] * 3, 1),
        ((SLOW,), [QueryTimeoutError, None, None], 3),
        ((SLOW, SLOW), [QueryTimeoutError] * 3, 2),
        ((REFUSED, REFUSED), [QueryRejectedError, QueryRejectedError, None], 3),
    ],
)
def test_what_one_metric_says_for_all_others(errors, expected, asked):
    behind = Failing(*errors)
    source = TickSource(behind)

    assert (outcomes(source, 3), behind.asked) == (expected, asked)


def test_the_next_tick_asks_again():
    behind = Failing(NOBODY)
    source = TickSource(behind)
    outcomes(source, 2)

    source.begin()

    assert outcomes(source, 1) == [None]
    assert source.metrics() == {"tflops"}


@pytest.mark.parametrize(
    ("tick_s", "configured_s", "timeout_s"),
    [(15.0, 60.0, 30.0), (60.0, 90.0, 90.0), (1.0, 5.0, 5.0)],
)
def test_no_query_of_a_tick_takes_much_longer_than_a_tick(tick_s, configured_s, timeout_s):
    server = PrometheusSettings(
        url="http://127.0.0.1:9090", access={"query_timeout_s": configured_s}
    )

    found = settings_of_ticks(server, tick_s)

    assert found.connection.query_timeout_s == timeout_s
    assert (found.url, found.mapping) == (server.url, server.mapping)
