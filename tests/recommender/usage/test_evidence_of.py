from __future__ import annotations

import numpy as np
import pytest

from recommender.usage.evidence_of import read_evidence
from tests.recommender.usage.one_workload import BEGIN_S, GIB, VRAM_COLUMN, OneWorkload

HOUR_S = 3600
DAY_S = 24 * HOUR_S


def evidence(workload, now):
    return read_evidence(workload.model, workload.rows, BEGIN_S + now)


def hundred_blocks():
    one = OneWorkload()
    one.feed([(i * 300, float(i + 1)) for i in range(100)], step_s=300)
    one.advance(100 * 300 + 120)
    return one, evidence(one, 100 * 300 + 120)


def test_percentiles_are_nearest_ranks_of_five_minute_maxima():
    _, seen = hundred_blocks()
    found = [getattr(seen, name)[0, 0] for name in ("p50", "p90", "p95", "p99", "highest")]
    assert found == [50.0, 90.0, 95.0, 99.0, 100.0]
    assert seen.mean[0, 0] == pytest.approx(50.5)


def test_span_points_age_and_coverage():
    _, seen = hundred_blocks()
    assert seen.points.tolist() == [[100, 0]]
    assert seen.span_s[0, 0] == 99 * 300
    assert seen.coverage[0, 0] == 1.0
    assert seen.last_sample_age_s[0, 0] == 300 + 120


def test_gaps_lower_the_coverage():
    one = OneWorkload()
    one.feed_constant(1.0, 0, 3000, step_s=60)
    one.feed_constant(1.0, 6000, 9000, step_s=60)
    one.advance(9120)
    assert evidence(one, 9120).coverage[0, 0] == pytest.approx(100 / 150)


def test_the_hourly_profile_is_the_mean_of_each_hour_in_utc():
    one = OneWorkload()
    one.feed_constant(4.0, 0, HOUR_S, step_s=300)
    one.feed_constant(6.0, 24 * HOUR_S, 25 * HOUR_S, step_s=300)
    one.feed_constant(9.0, 26 * HOUR_S, 27 * HOUR_S, step_s=300)
    one.advance(28 * HOUR_S)
    profile = evidence(one, 28 * HOUR_S).hourly_profile[0, 0]
    assert (profile[0], profile[2]) == (5.0, 9.0)
    assert np.isnan(profile[[1, *range(3, 24)]]).all()


def test_series_begin_with_the_first_block_and_end_with_the_newest():
    one = OneWorkload()
    one.feed_constant(4.0, 600, 1500, step_s=60)
    one.advance(1620)
    seen = evidence(one, 1620)
    assert (seen.block_start_s - BEGIN_S).tolist() == [600, 900, 1200, 1500]
    top = seen.block_max[0, 0]
    assert top[:3].tolist() == [4.0, 4.0, 4.0]
    assert np.isnan(top[3])


def test_series_are_maximum_and_mean_over_the_workers():
    two = OneWorkload(workers=2)
    two.feed_constant(4.0, 0, 300, worker=0)
    two.feed_constant(8.0, 0, 300, worker=1)
    two.advance(420)
    seen = evidence(two, 420)
    assert (seen.block_max[0, 0, 0], seen.block_mean[0, 0, 0]) == (8.0, 6.0)
    assert seen.workers_seen[0].tolist() == [2, 0]


def test_a_block_whose_minutes_close_in_two_calls_has_one_mean():
    one = OneWorkload()
    one.feed([(i * 60, float(i)) for i in range(5)], step_s=60, now=320)
    one.advance(180 + 120)
    one.feed_constant(50.0, 300, 86_400, step_s=60, now=86_400)
    one.advance(86_400)
    assert evidence(one, 86_400).block_mean[0, 0, 0] == 2.0


def test_only_seven_days_are_shown():
    one = OneWorkload()
    one.feed_constant(1.0, 0, 9 * 24 * HOUR_S, step_s=HOUR_S)
    one.advance(9 * 24 * HOUR_S)
    seen = evidence(one, 9 * 24 * HOUR_S)
    assert len(seen.block_start_s) == 7 * 288
    assert seen.block_start_s[0] == BEGIN_S + 2 * 24 * HOUR_S


@pytest.mark.parametrize("step_s", [15, 60, 300])
def test_the_saturated_share_is_of_measured_minutes(step_s):
    one = OneWorkload()
    one.feed_constant(10.0, 0, 3000, step_s=step_s, share=10.0)
    one.feed_constant(1.0, 3000, 6000, step_s=step_s, share=10.0)
    one.advance(6120)
    assert evidence(one, 6120).saturated_share[0, 0] == 0.5


def test_the_saturated_share_is_of_a_week():
    one = OneWorkload()
    for begin_day, end_day, use in ((0, 2, 10.0), (2, 6, 1.0), (6, 9, 10.0)):
        begin_s, end_s = begin_day * DAY_S, end_day * DAY_S
        one.feed_constant(use, begin_s, end_s, step_s=300, share=10.0)
        one.advance(end_s)
    one.advance(9 * DAY_S + 120)
    assert evidence(one, 9 * DAY_S).saturated_share[0, 0] == pytest.approx(3 / 7)
    one.model.advance(BEGIN_S + 9 * DAY_S + 1920)
    later = evidence(one, 9 * DAY_S + 1800).saturated_share[0, 0]
    assert later == pytest.approx(3 * 24 / (7 * 24 - 0.5))


def test_denials_and_opaque_plateaus_show_for_vram():
    one = OneWorkload()
    one.feed_constant(9 * GIB, 0, 1200, resource=VRAM_COLUMN, share=10 * GIB)
    one.model.deny(one.workers, np.array([BEGIN_S + 60]), np.array([3.0]), now_s=BEGIN_S + 60 + 15)
    one.advance(1200)
    seen = evidence(one, 1200)
    assert seen.denials[0].tolist() == [0.0, 3.0]
    assert seen.is_opaque[0].tolist() == [False, True]


def test_without_samples_there_is_no_series():
    seen = evidence(OneWorkload(), 1000)
    assert seen.block_max.shape == (1, 2, 0)
    assert np.isnan(seen.p95).all()
    assert np.isnan(seen.mean).all()
    assert np.isnan(seen.last_sample_age_s).all()
    assert seen.coverage.tolist() == [[0.0, 0.0]]
