"""Blocks that are made here of the samples themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sources.prometheus.reading import Piece, highest_of_blocks


def piece(series, ts, value):
    return Piece(
        labels=({"worker": "a"}, {"worker": "b"}),
        series=np.array(series, np.int64),
        ts=np.array(ts, np.float64),
        value=np.array(value, np.float64),
        warnings=("partial",),
    )


def rows(piece):
    return list(zip(piece.series.tolist(), piece.ts.tolist(), piece.value.tolist(), strict=True))


def test_a_block_holds_its_largest_sample_under_its_start():
    blocks = highest_of_blocks(piece([0, 0, 0, 1], [60.5, 119.999, 120, 61], [3, 5, 1, 2]), 60)
    assert rows(blocks) == [(0, 60, 5), (0, 120, 1), (1, 60, 2)]
    assert blocks.warnings == ("partial",)


def test_what_is_no_number_counts_only_alone():
    blocks = highest_of_blocks(piece([0, 0, 1], [60, 90, 60], [np.nan, 4, np.nan]), 60)
    assert blocks.value.tolist() == pytest.approx([4, np.nan], nan_ok=True)


def test_nothing_stays_nothing():
    assert len(highest_of_blocks(piece([], [], []), 60)) == 0


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 1), st.integers(0, 2_000_000)),
        st.floats(-1e9, 1e9),
        max_size=40,
    ),
    st.sampled_from([60, 300]),
)
def test_blocks_are_the_maxima_of_whatever_lies_in_them(samples, step_s):
    ordered = sorted(samples)
    blocks = highest_of_blocks(
        piece(
            [series for series, _ in ordered],
            [ms / 1000 for _, ms in ordered],
            [samples[key] for key in ordered],
        ),
        step_s,
    )
    expected = {}
    for (series, ms), value in samples.items():
        key = series, ms // (1000 * step_s) * step_s
        expected[key] = max(value, expected.get(key, -np.inf))
    assert {(series, ts): value for series, ts, value in rows(blocks)} == expected
