from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.builders import policy
from tests.recommender.usage.one_workload import BEGIN_S, GIB, VRAM_COLUMN, OneWorkload

DAY_S = 86_400


def test_a_workload_without_samples_has_no_statistics():
    one = OneWorkload()
    usage = one.statistics(1000)
    assert usage.points.tolist() == [[0, 0]]
    assert usage.last_sample_s.tolist() == [[-1, -1]]
    for name in ("request_target", "limit_percentile", "day_percentile", "burst", "last_three"):
        assert np.isnan(getattr(usage, name)).all(), name
    assert np.isnan(usage.startup_s).all()


# the last seconds


def test_burst_is_the_highest_of_the_workers():
    two = OneWorkload(workers=2)
    two.feed_constant(4.0, 0, 120, worker=0)
    two.feed_constant(9.0, 0, 120, worker=1)
    assert two.statistic("burst", 120) == pytest.approx(9.0)


def test_burst_is_for_steps_of_up_to_15_seconds():
    one = OneWorkload()
    one.feed_constant(4.0, 0, 600, step_s=60)
    assert math.isnan(one.statistic("burst", 600))
    assert one.statistic("last_three", 600) == 4.0


def test_stale_workers_say_nothing_of_the_present():
    two = OneWorkload(workers=2)
    two.feed_constant(50.0, 0, 120, worker=0)
    two.feed_constant(4.0, 0, 600, worker=1)
    assert two.statistic("last_three", 400) == 50.0
    assert two.statistic("last_three", 600) == 4.0


@pytest.mark.parametrize(("step_s", "expected"), [(15, 3.0), (600, 9.0)])
def test_recent_minutes_reach_back_five_minutes_or_three_samples(step_s, expected):
    one = OneWorkload()
    stamps = (0, step_s, 330 if step_s == 15 else 600, 600 + step_s)
    one.feed(list(zip(stamps, (9.0, 1.0, 2.0, 3.0), strict=True)), step_s=step_s)
    assert one.statistic("recent_minutes", 600 + step_s + 1) == expected


def test_recent_minutes_that_were_not_all_measured_are_no_calm_ones():
    one = OneWorkload()
    one.feed_constant(5.0, 0, 60)
    one.feed_constant(5.0, 3600, 3660)
    assert np.isnan(one.statistic("recent_minutes", 3660))
    one.feed_constant(5.0, 3660, 3900)
    assert one.statistic("recent_minutes", 3900) == 5.0


def test_vram_burst_is_the_highest_of_two_minutes_or_the_last_sample():
    one = OneWorkload()
    samples = [(0, 9 * GIB), (60, 4 * GIB), (120, 5 * GIB), (150, 3 * GIB)]
    one.feed(samples, resource=VRAM_COLUMN)
    assert one.statistic("burst", 200, VRAM_COLUMN) == 5 * GIB
    assert one.statistic("burst", 400, VRAM_COLUMN) == 3 * GIB


# the last day


@pytest.mark.parametrize("step_s", [15, 60, 90, 120, 240, 300])
def test_the_demand_of_a_day_is_that_of_all_workers_together(step_s):
    two = OneWorkload(workers=2)
    two.feed_constant(20.0, 0, 7200, worker=0, step_s=step_s)
    two.feed_constant(40.0, 0, 3600, worker=1, step_s=step_s)
    two.advance(7500)
    demand = two.statistic("day_demand", 7500)
    # of samples that do not divide 5 minutes one block has more than the next
    assert demand == pytest.approx(60.0, rel=0.65 if 300 % step_s else 1e-6)
    assert demand >= 60.0 - 1e-4
    assert math.isnan(two.statistics(7500).day_demand[0, VRAM_COLUMN])


def test_the_demand_of_a_day_does_not_follow_the_number_of_workers_now():
    many = OneWorkload(workers=4)
    many.feed_constant(80.0, 0, 3600, worker=0, step_s=60)
    for worker in range(4):
        many.feed_constant(20.0, 3600, 7200, worker=worker, step_s=60)
    many.advance(7500)
    assert many.statistic("day_demand", 7500) == pytest.approx(80.0)


def five_minute_maxima(values):
    one = OneWorkload()
    one.feed([(i * 300, value) for i, value in enumerate(values)], step_s=300)
    end = len(values) * 300
    one.advance(end + 120)
    return one, end + 120


def test_the_day_percentile_is_the_nearest_rank_of_five_minute_maxima():
    one, now = five_minute_maxima(np.arange(1.0, 101.0))
    assert one.statistic("day_percentile", now) == 99.0
    store = one.store()
    levels = {0.0: 1.0, 0.5: 50.0, 0.501: 51.0, 0.95: 95.0, 1.0: 100.0}
    for level, expected in levels.items():
        assert store.day.percentile(store, np.array([level]), one.rows)[0] == expected


def test_the_day_percentile_follows_new_blocks_and_forgets_after_a_day():
    one, now = five_minute_maxima([70.0] + [1.0] * 30)
    assert one.statistic("day_percentile", now) == 70.0
    one.feed_constant(200.0, now, now + 600)
    assert one.statistic("day_percentile", now + 600) == 70.0
    one.advance(now + 900)
    assert one.statistic("day_percentile", now + 900) == 200.0
    one.feed_constant(2.0, now + DAY_S, now + DAY_S + 900)
    one.advance(now + DAY_S + 2100)
    assert one.statistic("day_percentile", now + DAY_S + 2100) == 2.0


def test_the_highest_mean_of_an_hour_is_that_of_five_minutes():
    one, now = five_minute_maxima([70.0] + [1.0] * 11)
    assert one.statistic("hour_mean", now) == 70.0
    one.feed([(now + 180, 2.0), (now + 200, 4.0)])
    one.advance(now + 600)
    assert one.statistic("hour_mean", now + 600) == 3.0
    now += 600
    one.advance(now + 2 * 3600)
    assert np.isnan(one.statistic("hour_mean", now + 2 * 3600))


@pytest.mark.parametrize("step_s", [15, 60, 300, 600])
def test_a_workload_that_is_always_saturated_is_so_all_day_whatever_its_step(step_s):
    one = OneWorkload()
    one.feed_constant(10.0, 0, 7200, step_s=step_s, share=10.0)
    one.advance(7200 + 120)
    assert one.statistic("saturated_share_day", 7320) == 1.0


def test_saturated_minutes_count_since_the_decrease_and_for_half_an_hour():
    one = OneWorkload()
    one.feed_constant(10.0, 0, 3600, share=10.0)
    one.advance(3600)
    assert one.statistic("saturated_minutes", 3600) == 28.0
    decreased = np.full((1, 2), BEGIN_S + 3000)
    one.state = replace(one.state, limit_decrease_s=decreased)
    assert one.statistic("saturated_minutes", 3600) == 8.0


def test_saturation_now_is_that_of_the_newest_sample():
    one = OneWorkload()
    one.feed_constant(10.0, 0, 60, share=10.0)
    assert one.statistic("is_saturated", 60) is True
    assert one.statistic("is_saturated", 200) is False
    one.feed([(60, 4.0)], share=10.0)
    assert one.statistic("is_saturated", 61) is False


def test_of_saturated_workers_the_largest_share_is_told_and_an_unknown_one_is_the_largest():
    three = OneWorkload(workers=3)
    for worker, used in ((0, 10.0), (1, 8.0), (2, 4.0)):
        three.feed_constant(used, 0, 60, share=max(used, 6.0), worker=worker)
    assert three.statistic("saturated_share", 61) == 10.0
    three.feed([(75, 4.0)], throttled_ratio=0.5, worker=2)
    assert three.statistic("saturated_share", 76) == np.inf
    three = OneWorkload()
    three.feed_constant(4.0, 0, 60, share=6.0)
    assert np.isnan(three.statistic("saturated_share", 61))


def test_a_sample_from_before_a_raise_of_the_limit_says_nothing_of_it():
    two = OneWorkload(workers=2)
    two.feed_constant(10.0, 0, 60, share=10.0)
    assert two.statistic("is_saturated", 61) is True
    two.state = replace(two.state, limit_raise_s=np.full((1, 2), BEGIN_S + 60))
    two.feed([(75, 4.0)], share=15.0, worker=1)
    assert two.statistic("is_saturated", 76) is False
    two.feed([(90, 15.0)], share=15.0)
    assert two.statistic("is_saturated", 91) is True


# denials


def test_denials_count_since_the_decrease_and_for_half_an_hour():
    one = OneWorkload()
    for second, count in ((0, 1.0), (1000, 2.0), (3000, 4.0)):
        one.model.deny(
            one.workers,
            np.array([BEGIN_S + second]),
            np.array([count]),
            now_s=BEGIN_S + second + 15,
        )
    assert one.statistic("denials", 3600, VRAM_COLUMN) == 4.0
    assert one.statistic("denials", 2000, VRAM_COLUMN) == 6.0
    assert one.statistic("denials", 3600, 0) == 0.0
    one.state = replace(one.state, request_decrease_s=np.full((1, 2), BEGIN_S + 1500))
    assert one.statistic("denials", 2000, VRAM_COLUMN) == 4.0


def test_new_denials_are_those_since_the_last_tick_and_of_one_day_at_most():
    one = OneWorkload()
    one.model.deny(one.workers, np.array([BEGIN_S]), np.ones(1), now_s=BEGIN_S + 15)
    assert one.statistic("new_denials", 600, VRAM_COLUMN) == 1.0
    assert one.statistic("new_denials", DAY_S + 1, VRAM_COLUMN) == 0.0
    one.state = replace(one.state, last_limits_tick_s=np.array([BEGIN_S + 300]))
    assert one.statistic("new_denials", 600, VRAM_COLUMN) == 0.0


def test_a_layer_that_acts_and_lost_its_state_answers_the_last_half_hour_only():
    one = OneWorkload(policies=policy(is_enrolled=True))
    one.model.deny(one.workers, np.array([BEGIN_S]), np.ones(1), now_s=BEGIN_S + 15)
    assert one.statistic("new_denials", 1800, VRAM_COLUMN) == 1.0
    assert one.statistic("new_denials", 1801, VRAM_COLUMN) == 0.0


# VRAM


def test_the_resident_peak_is_the_highest_of_the_last_hour():
    one = OneWorkload()
    one.feed([(0, 9 * GIB)], resource=VRAM_COLUMN)
    one.feed_constant(4 * GIB, 60, 3600, resource=VRAM_COLUMN)
    one.advance(3600)
    assert one.statistic("resident_peak", 3600, VRAM_COLUMN) == 9 * GIB
    one.feed_constant(4 * GIB, 3600, 4200, resource=VRAM_COLUMN)
    one.feed_constant(5.0, 3600, 4200)
    one.advance(4200)
    assert one.statistic("resident_peak", 4200, VRAM_COLUMN) == 4 * GIB
    assert math.isnan(one.statistic("resident_peak", 4200))


def test_the_resident_peak_has_the_newest_sample_before_its_minute_closes():
    one = OneWorkload()
    one.feed_constant(4 * GIB, 0, 600, resource=VRAM_COLUMN)
    one.advance(600)
    one.feed([(600, 7 * GIB)], resource=VRAM_COLUMN)
    assert one.statistic("resident_peak", 601, VRAM_COLUMN) == 7 * GIB


def test_the_loaded_floor_is_the_peak_of_the_latest_start():
    two = OneWorkload(workers=2)
    two.set_readiness(started=0, worker=0)
    two.feed([(0, 9 * GIB), (30, 2 * GIB)], worker=0, resource=VRAM_COLUMN)
    assert two.statistic("loaded_floor", 60, VRAM_COLUMN) == 9 * GIB
    two.set_readiness(started=600, worker=1)
    two.feed([(600, 5 * GIB), (615, 6 * GIB)], worker=1, resource=VRAM_COLUMN)
    assert two.statistic("loaded_floor", 660, VRAM_COLUMN) == 6 * GIB


LOADING = [(t, (9.4 if t // 60 % 2 else 8.6) * GIB) for t in range(0, 900, 15)]
"""Near a limit of 10 GiB, and no plateau."""


def loaded(*, ready):
    one = OneWorkload()
    one.set_readiness(started=0, ready=ready)
    return one


def test_an_allocator_at_a_constant_fraction_is_opaque():
    one = loaded(ready=60)
    one.feed_constant(9 * GIB, 0, 1200, resource=VRAM_COLUMN, share=10 * GIB)
    one.advance(1200)
    assert one.statistic("is_opaque", 1200, VRAM_COLUMN) is True
    assert one.statistic("is_opaque", 1200, 0) is False
    assert one.statistic("is_opaque", 1200 + 400, VRAM_COLUMN) is False


def test_vram_is_too_young_to_tell_until_13_minutes_after_ready():
    one = loaded(ready=60)
    one.feed(LOADING, resource=VRAM_COLUMN, share=10 * GIB)
    one.advance(900)
    assert one.statistic("is_opaque", 839, VRAM_COLUMN) is True
    assert one.statistic("is_opaque", 840, VRAM_COLUMN) is False


def test_a_worker_that_loads_for_long_is_too_young_to_tell():
    one = loaded(ready=None)
    one.feed(LOADING, resource=VRAM_COLUMN, share=10 * GIB)
    assert one.statistic("is_opaque", 400, VRAM_COLUMN) is True


def test_a_young_worker_far_below_its_limit_is_told_at_once():
    one = loaded(ready=60)
    one.feed_constant(6 * GIB, 0, 100, resource=VRAM_COLUMN, share=10 * GIB)
    assert one.statistic("is_opaque", 100, VRAM_COLUMN) is False


def test_a_model_that_grows_is_not_opaque():
    one = loaded(ready=0)
    grown = [(t, (4.0 + t / 600) * GIB) for t in range(0, 3600, 15)]
    one.feed(grown, resource=VRAM_COLUMN, share=10 * GIB)
    one.advance(3600)
    assert one.statistic("is_opaque", 3600, VRAM_COLUMN) is False


# start-up, percentiles, coverage


def test_the_start_up_time_is_p90_of_the_last_16():
    one = OneWorkload()
    for i in range(20):
        one.set_readiness(started=1000 * i, ready=1000 * i + 10 * (i + 1))
    # the last 16 took 50 to 200 s; nearest rank 15
    assert one.statistics(30_000).startup_s.tolist() == [190.0]


def test_of_readiness_that_came_back_after_days_no_start_up_time_is_learned():
    one = OneWorkload()
    one.set_readiness(started=0, ready=172_000)
    assert np.isnan(one.statistics(173_000).startup_s).all()


def test_a_clock_that_makes_start_up_negative_counts_as_none():
    one = OneWorkload()
    one.set_readiness(started=100, ready=40)
    assert one.statistics(200).startup_s.tolist() == [0.0]


def nine_tenths_of_the_time(**overrides):
    one = OneWorkload(policies=policy(**overrides))
    one.feed([(i * 60, 10.0 if i % 10 == 9 else 1.0) for i in range(60)], step_s=60)
    one.advance(60 * 62)
    return one.statistic("request_target", 60 * 62)


def test_request_percentiles_are_of_work_or_of_time_as_the_policy_says():
    assert 10.0 < nine_tenths_of_the_time(percentile=0.85, is_load_weighted=True) < 10.6
    assert 1.0 < nine_tenths_of_the_time(percentile=0.85, is_load_weighted=False) < 1.11


def test_a_risk_target_replaces_the_percentile_and_is_over_time():
    arguments = {"percentile": 0.99, "is_load_weighted": True}
    assert 1.0 < nine_tenths_of_the_time(risk_target=0.2, **arguments) < 1.11


def test_points_and_expected_points_are_minutes():
    one = OneWorkload()
    one.feed_constant(1.0, 0, 600)
    one.feed_constant(1.0, 900, 1200)
    one.advance(1320)
    assert one.statistic("points", 1320) == 15
    assert one.statistic("expected_points", 1320) == pytest.approx(1185 / 60 + 1)
    assert one.statistic("first_sample_s", 1320) == BEGIN_S
    assert one.statistic("last_sample_s", 1320) == BEGIN_S + 1185
    assert one.statistic("step_s", 1320) == 15


def test_the_limit_percentile_is_over_minute_maxima_and_the_request_over_minute_means():
    one = OneWorkload(policies=policy(is_load_weighted=False))
    one.feed([(t, 20.0 if t % 60 == 0 else 4.0) for t in range(0, 3600, 15)])
    one.advance(3720)
    assert 20.0 < one.statistic("limit_percentile", 3720) < 21.0
    assert 8.0 < one.statistic("request_target", 3720) < 8.5
