from __future__ import annotations

import numpy as np
import pytest

from recommender.resources import TFLOPS, resource_named
from recommender.usage.model import UsageModel
from recommender.usage.rings import TimeRing
from tests.recommender.usage.one_workload import BEGIN_S, EVER, GIB, VRAM_COLUMN, OneWorkload


def counts(workload):
    columns = vars_of(workload.model.counts)
    return {name: count for name, count in columns.items() if count}


def vars_of(counts_):
    return {name: getattr(counts_, name) for name in counts_.__dataclass_fields__}


def limits_weight(workload, resource=0):
    bank = workload.store(resource).limits
    return bank.weights.sum() / bank.newest_weight[0] if bank.newest_weight[0] else 0.0


# what enters


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "not_finite"),
        (float("inf"), "not_finite"),
        (float("-inf"), "not_finite"),
        (2e18, "not_finite"),
        (-1.0, "negative"),
    ],
)
def test_samples_that_are_no_amount_are_counted_and_left_out(value, reason):
    one = OneWorkload()
    one.feed([(0, value)])
    assert counts(one) == {reason: 1}
    assert one.store().last_sample_s.tolist() == [-1]


def test_samples_at_or_after_now_are_not_seen():
    one = OneWorkload()
    one.feed([(0, 1.0), (15, 2.0), (30, 3.0)], now=15)
    assert counts(one) == {"accepted": 1, "future": 2}
    assert one.store().last_sample_s.tolist() == [BEGIN_S]


def test_a_sample_that_fails_twice_counts_once():
    one = OneWorkload()
    one.feed([(100, float("nan"))], now=0)
    assert counts(one) == {"not_finite": 1}


def test_frozen_samples_are_left_out():
    one = OneWorkload()
    one.feed([(0, 1.0)], is_frozen=True)
    assert counts(one) == {"frozen": 1}


def test_the_largest_amount_passes_through_without_overflow():
    one = OneWorkload(resources=(resource_named("widgets"),))
    one.feed([(t, 1e18) for t in range(0, 300, 15)], now=300)
    one.advance(600)
    assert one.statistic("burst", 300) == pytest.approx(1e18)
    assert one.statistic("limit_percentile", 600) == pytest.approx(1e18, rel=0.06)


def test_of_two_samples_under_one_stamp_the_larger_counts():
    one = OneWorkload()
    one.feed([(0, 4.0), (0, 9.0), (0, 6.0)])
    one.advance(180)
    assert counts(one) == {"accepted": 3, "duplicate": 2}
    assert one.store().minute_mean.window(0, EVER)[:, 0].tolist() == [9.0]


def test_duplicates_of_a_history_are_counted_when_it_closes():
    one = OneWorkload()
    one.feed([(0, 4.0), (0, 9.0)], now=7200)
    one.advance(7200)
    assert counts(one) == {"accepted": 2, "duplicate": 1}


# closing


def test_a_block_closes_120_seconds_after_its_end_and_enters_once():
    one = OneWorkload()
    one.feed([(0, 4.0), (59, 4.0)], now=60)
    one.advance(179)
    assert limits_weight(one) == 0.0
    one.advance(180)
    assert limits_weight(one) == 1.0
    one.advance(180)
    one.advance(239)
    assert limits_weight(one) == 1.0
    assert one.store().points.tolist() == [1]


def test_samples_of_a_closed_minute_are_late():
    one = OneWorkload()
    one.feed([(0, 4.0)])
    one.advance(180)
    one.feed([(59, 100.0), (60, 5.0)], now=185)
    assert counts(one) == {"accepted": 2, "late": 1}
    one.advance(240)
    assert one.store().points.tolist() == [2]
    assert one.statistic("limit_percentile", 240) < 6.0


def test_minutes_without_samples_are_not_zero():
    one = OneWorkload()
    one.feed_constant(8.0, 0, 60)
    one.feed_constant(8.0, 600, 660)
    one.advance(1000)
    assert one.store().points.tolist() == [2]
    bank = one.store().requests
    assert bank.percentiles(one.rows, np.array([[0.0]]))[0, 0] >= 8.0


def test_a_loop_that_stood_still_loses_nothing():
    steady, stalled = OneWorkload(), OneWorkload()
    steady.feed_constant(8.0, 0, 1200)
    steady.advance(1200)
    for start, end in ((0, 60), (60, 120), (120, 700), (700, 1200)):
        stalled.feed_constant(8.0, start, end, now=end)
    stalled.advance(1200)
    assert stalled.store().points.tolist() == steady.store().points.tolist() == [18]


def test_samples_arriving_after_an_outage_do_not_push_out_open_minutes():
    one = OneWorkload()
    one.feed_constant(8.0, 0, 120)
    one.feed_constant(8.0, 600, 660)
    one.advance(900)
    assert one.store().points.tolist() == [3]


def test_a_clock_that_goes_back_makes_samples_late_and_breaks_nothing():
    one = OneWorkload()
    one.feed_constant(8.0, 0, 3600)
    one.advance(3600)
    one.feed_constant(8.0, 0, 600, now=600)
    one.advance(600)
    assert counts(one) == {"accepted": 240, "late": 40}


@pytest.mark.parametrize("step_s", [60, 300, 600, 1800])
def test_coarse_steps_count_each_sample_as_one_minute(step_s):
    one = OneWorkload()
    one.feed_constant(8.0, 0, 10 * step_s, step_s=step_s)
    one.advance(10 * step_s + 180)
    assert one.store().points.tolist() == [10]
    assert one.statistic("expected_points", 10 * step_s) == 10.0


# start-up


def test_use_until_ready_is_left_out_for_tflops_and_kept_for_vram():
    one = OneWorkload()
    one.set_readiness(started=0)
    for resource, value in ((0, 50.0), (VRAM_COLUMN, 8 * GIB)):
        one.feed_constant(value, 0, 60, resource=resource)
    assert counts(one) == {"accepted": 4, "startup": 4}
    one.set_readiness(started=0, ready=60)
    one.feed_constant(10.0, 60, 120)
    assert counts(one) == {"accepted": 8, "startup": 4}
    assert one.statistic("loaded_floor", 120, VRAM_COLUMN) == 8 * GIB
    assert one.statistic("last_three", 120) == 10.0


def test_without_readiness_the_first_five_minutes_of_a_new_worker_are_left_out():
    two = OneWorkload(workers=2)
    two.feed_constant(10.0, 0, 900, worker=0)
    two.feed_constant(50.0, 900, 1500, worker=1)
    assert counts(two) == {"accepted": 60 + 20, "startup": 20}


@pytest.mark.parametrize(("step_s", "offset"), [(15, 45), (300, 290)])
def test_workers_that_were_there_when_the_record_begins_are_not_starting(step_s, offset):
    two = OneWorkload(workers=2)
    two.feed([(0, 1.0)], worker=0, step_s=step_s)
    two.feed([(offset, 1.0)], worker=1, step_s=step_s)
    assert counts(two) == {"accepted": 2}


def test_a_worker_that_is_no_longer_ready_is_not_starting_again():
    one = OneWorkload()
    one.set_readiness(started=0, ready=60)
    one.set_readiness(started=0)
    one.feed([(300, 10.0)])
    assert counts(one) == {"accepted": 1}
    one.set_readiness(started=0, ready=900)
    assert one.statistics(1000).startup_s.tolist() == [60.0]


def test_a_worker_that_started_again_is_starting():
    one = OneWorkload()
    one.set_readiness(started=0, ready=60)
    one.set_readiness(started=600)
    one.feed([(630, 10.0)])
    assert counts(one) == {"startup": 1}
    one.set_readiness(started=600, ready=700)
    one.feed([(700, 10.0)])
    assert counts(one) == {"startup": 1, "accepted": 1}


def test_a_history_read_after_a_worker_started_again_keeps_its_earlier_use():
    one = OneWorkload()
    one.set_readiness(started=3600, ready=3660)
    one.feed_constant(20.0, 0, 3540)
    one.feed_constant(9 * GIB, 0, 3540, resource=VRAM_COLUMN)
    one.feed_constant(6 * GIB, 3600, 3720, resource=VRAM_COLUMN)
    assert counts(one)["accepted"] == 2 * 3540 // 15 + 8
    assert one.statistic("loaded_floor", 3720, VRAM_COLUMN) == 6 * GIB


# saturation


def test_saturated_use_enters_as_the_demand_behind_it():
    one = OneWorkload()
    one.feed_constant(10.0, 0, 60, share=10.0, throttled_ratio=float("nan"))
    one.advance(180)
    assert counts(one) == {"accepted": 4, "saturated": 4}
    assert one.statistic("last_three", 60) == 12.5
    assert one.statistic("saturated_minutes", 180) == 1.0


def test_full_vram_is_not_saturated():
    one = OneWorkload()
    one.feed_constant(8 * GIB, 0, 60, resource=VRAM_COLUMN, share=8 * GIB)
    assert counts(one) == {"accepted": 4}


# rows


def test_gpu_models_of_one_workload_have_rows_of_their_own():
    model = UsageModel((TFLOPS,))
    rows = model.workload_rows([("team", "chat", "A10"), ("team", "chat", "H100")])
    workers = model.worker_rows(rows, ["chat-0", "chat-0"])
    ts = np.full(2, BEGIN_S)
    model.ingest(0, workers, ts, np.array([10.0, 400.0]), now_s=BEGIN_S + 1, step_s=15)
    model.advance(BEGIN_S + 180)
    high = model.stores[0].limits.percentiles(rows, np.full((2, 1), 1.0))[:, 0]
    assert 10.0 < high[0] < 10.6
    assert 400.0 < high[1] < 421.0


def test_every_worker_counts_with_equal_weight():
    three = OneWorkload(workers=3)
    for worker, value in enumerate((1.0, 2.0, 3.0)):
        three.feed_constant(value, 0, 60, worker=worker)
    three.advance(180)
    bank = three.store().requests
    levels = np.array([[0.33, 0.34, 0.66, 0.67]])
    low, mid, mid_too, high = bank.percentiles(three.rows, levels)[0]
    assert low < mid == mid_too < high


def test_a_dropped_worker_leaves_its_use_and_its_row_is_given_out_clean():
    two = OneWorkload(workers=2)
    for resource, value in ((0, 50.0), (VRAM_COLUMN, 8 * GIB)):
        two.feed_constant(value, 0, 600, worker=0, resource=resource, share=value)
    two.advance(800)
    weight = limits_weight(two)
    two.model.drop_workers(two.workers[:1])
    assert limits_weight(two) == weight
    again = two.model.worker_rows(two.rows, ["chat-9"])
    assert again.tolist() == two.workers[:1].tolist()
    fresh = OneWorkload(workers=2)
    assert_rows_equal(two.model, fresh.model, again[0], fresh.workers[0], workers=2)


def test_a_dropped_workload_leaves_no_trace_in_its_row():
    used = OneWorkload()
    for resource, value in ((0, 50.0), (VRAM_COLUMN, 8 * GIB)):
        used.feed_constant(value, 0, 1200, resource=resource, share=value)
    used.set_readiness(started=0, ready=60)
    used.model.deny(used.workers, np.array([BEGIN_S]), np.ones(1), now_s=BEGIN_S + 15)
    used.statistics(1200)
    used.advance(1200)
    used.model.set_half_lives(used.rows, np.array([[600, 600]]), BEGIN_S + 1200)
    used.model.drop_workloads(used.rows)
    rows = used.model.workload_rows([("other", "name", "")])
    assert rows.tolist() == used.rows.tolist()
    fresh = OneWorkload()
    fresh.advance(1200)
    after, expected = used.statistics(1300), fresh.statistics(1300)
    for name in after.__dataclass_fields__:
        left, right = getattr(after, name), getattr(expected, name)
        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), name


def test_dropping_a_worker_forgets_its_open_history():
    one = OneWorkload()
    one.feed([(0, 5.0)], now=7200)
    one.model.drop_workers(one.workers)
    one.advance(7200)
    assert limits_weight(one) == 0.0


def held_of(ring, values):
    """Return the values of a row of a ring, empty where a slot holds no block."""
    return np.where(ring.block >= 0, values, values.dtype.type(ring.empty))


def assert_rows_equal(model, fresh, row, fresh_row, *, workers):
    """Every per-worker column of both models agrees at these rows."""
    for store, other in zip(model.stores, fresh.stores, strict=True):
        for part, twin in (
            (store.recent, other.recent),
            (store.recent.demand, other.recent.demand),
            (store.peaks, other.peaks),
            (store.plateaus, other.plateaus),
            (store.minute_top, other.minute_top),
            (store.minute_mean, other.minute_mean),
        ):
            for name, column in vars(part).items():
                if isinstance(column, np.ndarray) and column.shape[-1] == workers:
                    left, right = column[..., row], getattr(twin, name)[..., fresh_row]
                    if isinstance(part, TimeRing):
                        left, right = held_of(part, left), held_of(twin, right)
                    assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), name
    for name in ("first_sample_s", "started_s", "ready_s"):
        assert getattr(model, name)[row] == getattr(fresh, name)[fresh_row]


UNNAMED, A100, H100 = (("team", "chat", gpu_model) for gpu_model in ("", "A100", "H100"))


def test_a_row_without_samples_is_given_to_the_first_gpu_model_that_is_named():
    model = UsageModel((TFLOPS,))
    worker = model.worker_rows(model.workload_rows([UNNAMED]), ["chat-0"])

    model.name_gpu_models([A100, H100])

    assert model.workload_rows([A100, H100, UNNAMED]).tolist() == [0, 1, 2]
    assert model.worker_rows(np.zeros(1, np.int64), ["chat-0"]).tolist() == worker.tolist()


def test_a_row_with_samples_stays_what_it_is():
    one = OneWorkload()
    one.feed([(0, 5.0)])

    one.model.name_gpu_models([A100])

    assert one.model.workloads.keys == [UNNAMED]
