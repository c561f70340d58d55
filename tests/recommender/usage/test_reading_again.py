"""Samples that are read again: they may complete what was there, and are counted once."""

from __future__ import annotations

import numpy as np
import pytest

from tests.recommender.usage.one_workload import BEGIN_S, OneWorkload


def counts(one):
    return one.model.counts


@pytest.mark.parametrize("now", [120, 900])
def test_what_is_held_already_is_not_counted_again(now):
    one = OneWorkload()
    samples = [(t, 8.0) for t in range(0, 120, 15)]
    one.feed(samples, now=now)
    for _ in range(5):
        one.feed(samples, known_before=120, now=now)
    one.advance(1200)
    assert (counts(one).accepted, counts(one).duplicate, counts(one).late) == (8, 0, 0)


def test_a_sample_that_came_late_is_taken_and_counted_once():
    one = OneWorkload()
    one.feed([(0, 8.0), (30, 8.0)], now=45)
    for _ in range(3):
        one.feed([(0, 8.0), (15, 20.0), (30, 8.0)], known_before=45, now=60)
    one.advance(180)
    assert counts(one).accepted == 3
    assert np.nanmax(one.store().minute_top.values) == 20.0


def test_new_samples_of_the_source_that_share_a_stamp_are_duplicates():
    one = OneWorkload()
    one.feed([(0, 8.0), (0, 9.0)], known_before=0, now=15)
    assert (counts(one).accepted, counts(one).duplicate) == (2, 1)


def test_what_cannot_be_used_is_counted_when_it_is_read_first():
    one = OneWorkload()
    one.feed([(0, float("nan"))], now=15)
    one.feed([(0, float("nan"))], known_before=15, now=30)
    assert counts(one).not_finite == 1


def test_a_saturated_sample_that_is_judged_again_counts_for_its_minute():
    one = OneWorkload()
    one.feed([(0, 50.0)], now=15, share=80.0)
    one.feed([(0, 50.0)], known_before=15, now=30, share=80.0, throttled_ratio=0.5)
    one.advance(180)
    assert one.store().minute_saturated.values.sum() == 1
    assert np.nanmax(one.store().minute_top.values) == pytest.approx(100.0)


def test_an_earlier_time_is_read_again_after_a_later_one():
    samples = [(t, 8.0 + t % 7) for t in range(0, 900, 15)]
    once, again = OneWorkload(), OneWorkload()
    for one in (once, again):
        one.feed(samples, now=900)
    again.feed(samples[:40], known_before=900, now=600)
    again.feed(samples[40:], known_before=900, now=900)
    for one in (once, again):
        one.advance(1200)
    assert counts(again) == counts(once)
    for name in ("minute_top", "minute_mean"):
        rings = (getattr(one.store(), name).values for one in (again, once))
        np.testing.assert_array_equal(*rings)


def test_minutes_that_a_resource_has_still_to_deliver_stay_open():
    one = OneWorkload()
    one.feed([(0, 8.0)], resource=0, now=60)
    one.feed([(0, 2.0**30)], resource=1, now=60)
    one.model.advance(BEGIN_S + 3600, read_until_s=[BEGIN_S + 60, BEGIN_S + 3600])
    assert [store.points.tolist() for store in one.model.stores] == [[0], [1]]

    one.feed([(60, 8.0)], resource=0, now=3600)
    one.model.advance(BEGIN_S + 3600, read_until_s=[BEGIN_S + 3600, BEGIN_S + 3600])
    assert one.store().points.tolist() == [2]
    assert one.model.counts.late == 0


def test_a_model_is_closed_up_to_now_where_nothing_else_is_said():
    one = OneWorkload()
    one.advance(3600)
    assert [s.closed_until_s for s in one.model.stores] == [BEGIN_S + 3480] * 2
