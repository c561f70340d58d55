"""Use as each layer sees it, read from what the usage model holds."""

import numpy as np

from recommender.forecast.use import LimitsUse, ReplicasUse, RequestsUse
from tests.recommender.forecast.fleets import daily_minutes, model_of

FAR = np.iinfo(np.int64).max


def minutes_by_hand(use, first, last):
    """Return (series, minute, use) of known minutes of ``[T, S]``, in any order."""
    return {
        (series, minute, round(float(use[minute, series]), 3))
        for minute in range(first, last)
        for series in range(use.shape[1])
        if not np.isnan(use[minute, series])
    }


def read(minutes):
    return {
        (int(series), int(minute), round(float(use), 3))
        for minute in minutes.minute
        for series, use in zip(*minutes.between(minute, minute + 1, slice(0, 99)), strict=True)
    }


def test_limits_see_the_highest_of_each_block_and_each_minute_of_each_worker():
    use = daily_minutes(1, 3)[:600]
    use[590:594, 1] = np.nan
    limits = LimitsUse(model_of(use), 0)
    past = limits.past(np.array([0, 2]), 119, np.full(2, FAR))
    np.testing.assert_allclose(use[590:595, [0, 2]].max(axis=0), past.lag(1), rtol=1e-6)
    closed = limits.minutes(np.array([0, 1, 2]), 118)
    assert minutes_by_hand(use, 590, 595) == read(closed)


def test_limits_see_how_the_newest_block_has_ended():
    use = daily_minutes(1, 3)[:600]
    use[599, 2] = np.nan
    limits = LimitsUse(model_of(use, workload_row=[0, 0, 1]), 0)
    past = limits.past(np.array([0, 1]), 119, np.full(2, FAR))
    np.testing.assert_allclose(use[599, :2].mean(), past.latest_mean()[0], rtol=1e-6)
    np.testing.assert_allclose(use[595:599, 2].mean(), past.latest_mean()[1], rtol=1e-6)


def test_requests_see_hours_by_their_highest_mean_of_five_minutes():
    use = daily_minutes(1, 2)[:600]
    past = RequestsUse(model_of(use), 0).past(np.array([1]), 9, np.full(1, FAR))
    blocks = use[480:540, 1].reshape(12, 5).mean(axis=1)
    np.testing.assert_allclose(blocks.max(), past.lag(1)[0], rtol=1e-6)
    np.testing.assert_allclose(blocks.mean(), past.last_means(2)[0, 0], rtol=1e-6)
    np.testing.assert_allclose(use[590:600, 1].mean(), past.latest_mean()[0], rtol=1e-6)


def test_replicas_see_the_demand_of_all_workers_of_a_workload():
    use = daily_minutes(1, 3)[:60]
    model = model_of(use, workload_row=[0, 0, 1])
    replicas = ReplicasUse(model, 0)
    rows = np.array([0, 1])
    replicas.demand.group(rows, rows)
    past = replicas.past(rows, 11, np.full(2, FAR))
    expected = [use[55:60, :2].mean(axis=0).sum(), use[55:60, 2].mean()]
    np.testing.assert_allclose(expected, past.lag(0), rtol=1e-5)
    closed = replicas.minutes(rows, 11)
    assert closed.series.tolist() == [0, 1]
    np.testing.assert_allclose([expected], closed.use, rtol=1e-5)


def test_the_gpu_models_of_one_workload_are_one_demand():
    use = daily_minutes(1, 2)[:60]
    replicas = ReplicasUse(model_of(use), 0)
    replicas.demand.group(np.array([0, 1]), np.array([0, 0]))
    past = replicas.past(np.array([0]), 11, np.full(1, FAR))
    np.testing.assert_allclose([use[55:60].mean(axis=0).sum()], past.lag(0), rtol=1e-5)


def test_the_demand_of_a_workload_is_that_of_the_gpu_models_which_were_measured():
    use = daily_minutes(1, 3)[:60]
    use[30:, 0] = np.nan
    use[40:, 2] = np.nan
    replicas = ReplicasUse(model_of(use), 0)
    replicas.demand.group(np.array([0, 1, 2]), np.array([0, 1, 0]))
    past = replicas.past(np.array([0, 1]), 11, np.full(2, FAR)).of(np.array([1, 0]))
    means = use.reshape(12, 5, 3).mean(axis=1)
    expected = np.where(np.isnan(means[:, 2]), np.nan, np.nansum(means[:, [0, 2]], axis=1))
    np.testing.assert_allclose(expected, past.last(12)[:, 1], rtol=1e-5)
    np.testing.assert_allclose(means[:, 1], past.last(12)[:, 0], rtol=1e-5)


def test_replicas_that_go_on_block_by_block_see_what_those_that_begin_now_see():
    use = daily_minutes(1, 2)[:120]
    rows, reach = np.array([0, 1]), np.full(2, FAR)
    model = model_of(use)
    going, beginning = ReplicasUse(model, 0), ReplicasUse(model, 0)
    for each in (going, beginning):
        each.demand.group(rows, rows)
    for block in range(24):
        going.past(rows, block, reach)
    beginning.past(rows, 23, reach)
    for name in ("past", "percentiles"):
        found = [
            getattr(each, name)(*((rows, 23, reach) if name == "past" else (rows,)))
            for each in (going, beginning)
        ]
        if name == "past":
            np.testing.assert_array_equal(found[0].last(24), found[1].last(24))
        else:
            np.testing.assert_array_equal(*found)


def test_replicas_that_were_not_asked_for_most_of_a_history_see_all_of_it():
    use = daily_minutes(1, 2)[:120]
    rows, reach = np.array([0, 1]), np.full(2, FAR)
    model = model_of(use)
    asked_seldom, beginning = ReplicasUse(model, 0), ReplicasUse(model, 0)
    for each in (asked_seldom, beginning):
        each.demand.group(rows, rows)
    # A history is read first and gone through in its newest part alone; a report asks again.
    for block in (2, 21, 22, 23, 23, 23):
        found = asked_seldom.past(rows, block, reach)
    np.testing.assert_array_equal(found.last(24), beginning.past(rows, 23, reach).last(24))
    np.testing.assert_array_equal(asked_seldom.percentiles(rows), beginning.percentiles(rows))


def test_no_more_of_the_past_counts_than_the_policy_says():
    use = daily_minutes(1, 2)[:600]
    reach = np.array([3, FAR])
    past = LimitsUse(model_of(use), 0).past(np.array([0, 1]), 119, reach)
    assert np.isnan(past.lag(3)).tolist() == [True, False]
    assert (~np.isnan(past.last(12))).sum(axis=0).tolist() == [3, 12]
    assert not np.isnan(past.lag(2)).any()


def test_minutes_of_some_series_are_those_of_all_of_them():
    use = daily_minutes(1, 7)[:600]
    use[590:594, 1] = np.nan
    closed = LimitsUse(model_of(use), 0).minutes(np.arange(7), 118)
    first, last = int(closed.minute[0]) + 1, int(closed.minute[0]) + 4
    series, of_all = closed.between(first, last, slice(0, 7))
    for few in (slice(0, 3), slice(3, 7), slice(7, 7)):
        mine = (series >= few.start) & (series < few.stop)
        found, of_few = closed.between(first, last, few)
        np.testing.assert_array_equal(found, series[mine] - few.start)
        np.testing.assert_array_equal(of_few, of_all[mine])
