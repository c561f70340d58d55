from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM
from recommender.usage.layout import Layout

CPU = Layout(1000.0 / 0.01)
MEMORY = Layout(1e12 / 1e7)


def test_vpa_cpu_and_memory_layouts_have_176_buckets():
    assert (CPU.buckets, MEMORY.buckets) == (176, 176)


@pytest.mark.parametrize(
    ("resource", "buckets"), [(TFLOPS, 176), (VRAM, 176), (COMPUTE_PERCENT, 129)]
)
def test_own_layouts_follow_the_same_rule(resource, buckets):
    assert Layout(resource.largest_value / resource.first_bucket).buckets == buckets


def test_starts_of_the_cpu_layout_in_cores():
    starts = CPU.starts() * 0.01
    assert starts[:4] == pytest.approx([0.0, 0.01, 0.0205, 0.031525], rel=1e-12)
    assert starts[-2:] == pytest.approx([972.4756275284428, 1021.109408904865], rel=1e-12)


def test_starts_of_the_memory_layout_in_bytes():
    starts = MEMORY.starts() * 1e7
    assert starts[:4] == pytest.approx([0.0, 1e7, 2.05e7, 3.1525e7], rel=1e-12)


def test_the_last_start_is_not_below_the_largest_value():
    assert CPU.starts()[-2] < 1000.0 / 0.01 <= CPU.starts()[-1]


def test_coarse_layout_by_hand():
    layout = Layout(500.0 / 40.0, growth=1.5)
    assert layout.buckets == 6
    assert (layout.starts() * 40.0).tolist() == [0.0, 40.0, 100.0, 190.0, 325.0, 527.5]
    values = np.array([-1.0, 0.0, 39.99, 40.0, 99.0, 100.0, 527.4, 900.0])
    assert layout.find(values / 40.0).tolist() == [0, 0, 0, 1, 1, 2, 4, 5]


@pytest.mark.parametrize(
    ("cores", "bucket"),
    [(0.0, 0), (0.0099, 0), (0.01, 1), (0.5, 25), (1.0, 36), (8.0, 76), (5e3, 175)],
)
def test_finds_of_the_cpu_layout(cores, bucket):
    assert CPU.find(np.array([cores / 0.01])).tolist() == [bucket]


@pytest.mark.parametrize(
    ("size_bytes", "bucket"), [(9.9e6, 0), (1e7, 1), (2**30, 37), (16 * 2**30, 91), (9e12, 175)]
)
def test_finds_of_the_memory_layout(size_bytes, bucket):
    assert MEMORY.find(np.array([size_bytes / 1e7])).tolist() == [bucket]


def test_every_start_lies_in_its_own_bucket():
    assert CPU.find(CPU.starts()).tolist() == list(range(176))


def test_a_percentile_reports_the_end_of_a_bucket_and_the_start_of_the_last_one():
    starts = CPU.starts()
    assert CPU.reported().tolist() == [*starts[1:], starts[-1]]


@given(st.floats(0.0, 1e300))
def test_a_bucket_holds_what_is_found_in_it(multiple):
    bucket = int(CPU.find(np.array([multiple]))[0])
    starts = CPU.starts()
    assert starts[bucket] <= multiple
    assert bucket == 175 or multiple < starts[bucket + 1]


@given(st.floats(1.0, 1e5))
def test_what_is_reported_is_above_the_value_by_one_bucket_at_most(multiple):
    reported = CPU.reported()[CPU.find(np.array([multiple]))][0]
    assert multiple < reported <= multiple * 1.05 + 1.0
