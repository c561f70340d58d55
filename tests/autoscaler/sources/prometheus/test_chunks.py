"""Cutting a long time into queries."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sources.prometheus import chunks

TIMES_S = st.integers(0, 2_000_000_000)
LENGTHS_S = st.sampled_from(chunks.LENGTHS_S)


def cut(start_s: int, end_s: int, length_s: int) -> list[tuple[int, int]]:
    parts = []
    while start_s < end_s:
        upto_s = chunks.chunk_end_s(start_s, end_s, length_s)
        parts.append((start_s, upto_s))
        start_s = upto_s
    return parts


@given(start_s=TIMES_S, span_s=st.integers(1, 20 * chunks.DAY_S), length_s=LENGTHS_S)
def test_chunks_cover_the_time_once_and_are_cut_at_multiples_of_their_length(
    start_s, span_s, length_s
):
    parts = cut(start_s, start_s + span_s, length_s)
    assert parts[0][0] == start_s
    assert parts[-1][1] == start_s + span_s
    assert [part[1] for part in parts[:-1]] == [part[0] for part in parts[1:]]
    assert all(part[1] % length_s == 0 for part in parts[:-1])
    assert all(0 < upto_s - from_s <= length_s for from_s, upto_s in parts)


@given(st.integers(1, 200_000), st.sampled_from([5, 15, 60, 300]))
def test_a_chunk_stays_below_the_limits_of_the_server_while_it_can_be_shorter(series, step_s):
    length_s = chunks.length_s_of(series / step_s, 1 / step_s)
    if length_s > chunks.SHORTEST_S:
        assert length_s / step_s <= chunks.POINTS_PER_SERIES
        assert length_s / step_s * series <= chunks.SAMPLES_PER_QUERY


def test_five_hundred_series_of_minutes_are_read_by_the_day():
    assert chunks.length_s_of(500 / 60, 1 / 60) == chunks.DAY_S


def test_an_unknown_amount_is_read_in_the_shortest_chunks():
    assert chunks.length_s_of(float("inf")) == chunks.SHORTEST_S


def test_after_the_shortest_length_there_is_none():
    assert chunks.shorter_s(chunks.DAY_S) == 12 * chunks.HOUR_S
    assert chunks.shorter_s(chunks.SHORTEST_S) is None


@given(start_s=TIMES_S, span_s=st.integers(0, 10_000), step_s=st.sampled_from([60, 300, 3600]))
def test_only_whole_blocks_of_a_time_are_read(start_s, span_s, step_s):
    end_s = start_s + span_s
    first_s, last_s = chunks.blocks(start_s, end_s, step_s)
    assert first_s % step_s == last_s % step_s == 0
    assert first_s >= start_s
    assert first_s == last_s or last_s <= end_s
    assert first_s - start_s < step_s
    assert end_s - last_s < step_s


def test_a_time_that_fits_into_a_chunk_is_not_cut():
    assert chunks.chunk_end_s(590, 1000, 600) == 1000
    assert chunks.chunk_end_s(590, 1200, 600) == 600


@given(start_s=TIMES_S, span_s=st.integers(1, chunks.DAY_S))
def test_two_halves_hold_a_span(start_s, span_s):
    half_s = chunks.half_s((start_s, start_s + span_s))
    assert 2 * half_s >= span_s
    assert half_s in chunks.LENGTHS_S
