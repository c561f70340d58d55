from __future__ import annotations

import math

import pytest

from recommender.resources import VRAM
from tests.recommender.usage.one_workload import GIB, OneWorkload


def test_demand_of_a_minute_is_the_mean_of_its_samples():
    one = OneWorkload()
    one.feed_constant(100.0, 0, 60)
    one.feed([(60, 2.0), (75, 4.0), (90, 6.0), (105, 8.0)])
    assert one.demand(120, 60) == 5.0


def test_demand_of_ten_minutes_is_the_mean_of_closed_and_open_minutes():
    one = OneWorkload()
    one.feed_constant(2.0, 0, 300)
    one.feed_constant(4.0, 300, 600)
    one.advance(600)
    assert one.demand(600, 600) == pytest.approx(3.0)


@pytest.mark.parametrize("step_s", [60, 120, 300])
def test_samples_far_apart_count_equally_in_a_longer_period(step_s):
    one = OneWorkload()
    values = [float(i) for i in range(1200 // step_s)]
    one.feed([(i * step_s, value) for i, value in enumerate(values)], step_s=step_s)
    one.advance(1200)
    expected = sum(values) / len(values)
    assert one.demand(1200, 1200) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("step_s", [60, 300, 1800])
def test_where_steps_are_as_long_as_the_period_the_last_sample_stands_for_it(step_s):
    one = OneWorkload()
    one.feed([(0, 1.0), (step_s, 7.0)], step_s=step_s)
    assert one.demand(2 * step_s, 60) == 7.0
    assert math.isnan(one.demand(2 * step_s + max(300, 3 * step_s) + 1, 60))


def test_without_a_sample_in_the_period_there_is_no_demand():
    one = OneWorkload()
    one.feed_constant(5.0, 0, 60)
    one.advance(600)
    assert math.isnan(one.demand(600, 60))
    assert one.demand(600, 1200) == 5.0


def test_saturated_samples_count_as_the_demand_behind_them():
    one = OneWorkload()
    one.feed_constant(8.0, 0, 60, share=10.0, throttled_ratio=0.25)
    assert one.demand(60, 60) == pytest.approx(8.0 / 0.75, rel=1e-6)


def test_workers_have_demands_of_their_own():
    two = OneWorkload(workers=2)
    two.feed_constant(5.0, 0, 60, worker=0)
    assert two.demand(60, 60, worker=0) == 5.0
    assert math.isnan(two.demand(60, 60, worker=1))


def test_a_fleet_without_compressible_resource_has_no_demand():
    one = OneWorkload(resources=(VRAM,))
    one.feed_constant(GIB, 0, 60)
    assert math.isnan(one.demand(60, 60))
