"""Ranges that are open on the left (Prometheus 3, VictoriaMetrics) and closed (Prometheus 2).

The server here evaluates the two forms of query that are asked, by either rule, to the millisecond.
"""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sources.prometheus.answer import Answer
from autoscaler.sources.prometheus.reading import MAXIMUM, blocks_of, raw

QUERY = re.compile(r"(?:(\w+)\()?m\[(\d+)s\] offset (\d+)ms\)?")
START_S = 1_772_323_200
RULES = pytest.mark.parametrize("is_closed", [False, True], ids=["left-open", "left-closed"])
STAMPS_MS = st.lists(st.integers(-2000, 302_000), unique=True).map(sorted)


class Server:
    """Holds one series; the value of a sample is its millisecond after ``START_S``."""

    def __init__(self, stamps_ms, *, is_closed):
        self._ms = np.array(stamps_ms, np.int64)
        self._is_closed = is_closed

    def instant(self, query, at_s):
        return self._answer(self._window(query, 1000 * (at_s - START_S)))

    def range(self, query, start_s, end_s, step_s):
        found = []
        for at_s in range(start_s, end_s + 1, step_s):
            window = self._window(query, 1000 * (at_s - START_S))
            if len(window):
                found.append((1000 * (at_s - START_S), window.max()))
        return self._answer(*(np.array(column) for column in zip(*found, strict=True)))

    def _window(self, query, at_ms):
        _, length_s, offset_ms = QUERY.fullmatch(query).groups()
        end_ms = at_ms - int(offset_ms)
        begin_ms = end_ms - 1000 * int(length_s)
        after = self._ms >= begin_ms if self._is_closed else self._ms > begin_ms
        return self._ms[after & (self._ms <= end_ms)]

    def _answer(self, ts_ms=(), value=None):
        ts_ms = np.asarray(ts_ms, np.float64)
        return Answer(
            labels=({},),
            length=np.array([len(ts_ms)]),
            ts=START_S + ts_ms / 1000.0,
            value=np.asarray(ts_ms if value is None else value, np.float64),
            warnings=(),
        )


@RULES
@given(stamps_ms=STAMPS_MS)
def test_raw_samples_are_those_from_the_start_to_before_the_end_by_either_rule(
    is_closed, stamps_ms
):
    server = Server(stamps_ms, is_closed=is_closed)
    piece = raw(server, "m", START_S, START_S + 300)
    assert piece.value.tolist() == [ms for ms in stamps_ms if 0 <= ms < 300_000]


@RULES
@given(stamps_ms=STAMPS_MS)
def test_times_that_touch_share_no_sample_and_lose_none_by_either_rule(is_closed, stamps_ms):
    server = Server(stamps_ms, is_closed=is_closed)
    parts = [raw(server, "m", START_S + at_s, START_S + at_s + 60) for at_s in range(0, 300, 60)]
    joined = [value for part in parts for value in part.value.tolist()]
    assert joined == [ms for ms in stamps_ms if 0 <= ms < 300_000]


def maxima(stamps_ms, *, is_closed):
    piece = blocks_of(
        Server(stamps_ms, is_closed=is_closed), MAXIMUM, "m", (START_S, START_S + 300), 60
    )
    return dict(zip((piece.ts - START_S).tolist(), piece.value.tolist(), strict=True))


@given(stamps_ms=STAMPS_MS.filter(len))
def test_minutes_are_exact_where_ranges_are_open_on_the_left(stamps_ms):
    expected = {}
    for ms in stamps_ms:
        if 0 <= ms < 300_000:
            expected[ms // 60_000 * 60] = ms
    if expected:
        assert maxima(stamps_ms, is_closed=False) == expected


def test_a_scrape_on_the_minute_belongs_to_the_minute_that_it_begins_by_either_rule():
    on_the_minute = [0, 60_000, 120_000, 180_000, 240_000]
    expected = {0: 0, 60: 60_000, 120: 120_000, 180: 180_000, 240: 240_000}
    assert maxima(on_the_minute, is_closed=False) == expected
    assert maxima(on_the_minute, is_closed=True) == expected


def test_where_ranges_are_closed_only_the_last_millisecond_of_a_minute_counts_twice():
    assert maxima([59_999], is_closed=False) == {0: 59_999}
    assert maxima([59_999], is_closed=True) == {0: 59_999, 60: 59_999}
    assert maxima([59_998], is_closed=True) == {0: 59_998}
