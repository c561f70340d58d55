"""What is read from real servers is what was written into them."""

import numpy as np

from autoscaler.sources.source import Metric
from tests.components.histories import (
    DAY_S,
    END_S,
    GAP_S,
    ODD_POOL,
    REPLACED_S,
    RESTART_S,
    SPIKE_S,
    START_S,
    STEP_S,
)
from tests.components.worker_metrics import (
    COMPUTE_PERCENT,
    MEMORY_BYTES,
    TFLOPS,
    THROTTLED_SECONDS,
    VRAM_DENIED,
)
from tests.prometheus.truth import (
    assert_equal,
    gains,
    minute_blocks,
    of_samples,
    raw_samples,
)


def test_raw_samples_of_a_time_come_once_under_their_own_stamps(source, history_server):
    start_s = START_S + 5 * 3600 + 7
    samples = source.read(Metric.TFLOPS, start_s, start_s + 1800, 15)
    expected = raw_samples(history_server.history, TFLOPS, start_s, start_s + 1800)
    assert_equal(of_samples(samples), expected)
    assert samples.top is None
    assert not samples.is_partial


def test_increments_that_touch_share_no_sample_and_lose_none(source, history_server):
    """A scrape lies exactly on the minute, so that both sides of each boundary see it."""
    start_s = START_S + 3600
    parts = [
        of_samples(source.read(Metric.TFLOPS, start_s + 60 * i, start_s + 60 * (i + 1), 15))
        for i in range(10)
    ]
    joined = {key: value for part in parts for key, value in part.items()}
    assert sum(len(part) for part in parts) == len(joined)
    assert_equal(joined, raw_samples(history_server.history, TFLOPS, start_s, start_s + 600))


def test_minutes_of_compute_are_mean_and_maximum_of_their_samples(source, history_server):
    start_s, end_s = START_S + 19 * 3600, START_S + 31 * 3600
    samples = source.read(Metric.TFLOPS, start_s, end_s, 60)
    means, tops = minute_blocks(history_server.history, TFLOPS, start_s, end_s)
    assert_equal(of_samples(samples), means)
    assert_equal(of_samples(samples, samples.top), tops)


def test_a_whole_history_comes_in_one_read_with_no_minute_twice_at_the_borders_of_days(
    source, history_server
):
    samples = source.read(Metric.TFLOPS, START_S, END_S, 60)
    means, _ = minute_blocks(history_server.history, TFLOPS, START_S, END_S)
    finite = of_samples(samples)
    # A minute that holds a NaN beside a number is not compared.
    assert means.keys() <= finite.keys()
    assert_equal({key: finite[key] for key in means}, means)
    assert {ts % DAY_S for _, ts in means} >= {0, DAY_S - 60}


def test_a_vram_peak_of_one_sample_is_not_lost(source):
    samples = source.read(Metric.VRAM_BYTES, START_S, END_S, 60)
    table = of_samples(samples)
    assert table["embed-0", SPIKE_S // 60 * 60] == 14 * 2**30
    assert table["embed-0", SPIKE_S // 60 * 60 - 60] == 8 * 2**30


def test_vram_of_a_minute_is_its_maximum(source, history_server):
    start_s, end_s = START_S + 39 * 3600, START_S + 41 * 3600
    samples = source.read(Metric.VRAM_BYTES, start_s, end_s, 60)
    _, tops = minute_blocks(history_server.history, MEMORY_BYTES, start_s, end_s)
    assert_equal(of_samples(samples), tops)


def test_percent_with_an_infinity_keeps_all_its_other_minutes(source, history_server):
    start_s, end_s = START_S + 6 * 3600 + 1800, START_S + 8 * 3600
    samples = source.read(Metric.COMPUTE_PERCENT, start_s, end_s, 60)
    means, _ = minute_blocks(history_server.history, COMPUTE_PERCENT, start_s, end_s)
    finite = of_samples(samples)
    assert_equal({key: finite[key] for key in means}, means)


def test_what_was_not_scraped_is_absent_and_not_zero(source):
    samples = source.read(Metric.TFLOPS, GAP_S[0] - 600, GAP_S[1] + 600, 60)
    stamps = sorted(ts for worker, ts in of_samples(samples) if worker == "embed-0")
    assert max(np.diff(stamps)) >= GAP_S[1] - GAP_S[0]


def test_a_worker_ends_where_the_next_begins(source):
    samples = source.read(Metric.TFLOPS, REPLACED_S - 600, REPLACED_S + 600, 60)
    table = of_samples(samples)
    assert max(ts for worker, ts in table if worker == "notebook-a") < REPLACED_S
    assert min(ts for worker, ts in table if worker == "notebook-b") >= REPLACED_S


def test_only_whole_minutes_of_a_time_are_read(source):
    samples = source.read(Metric.TFLOPS, START_S + 3601, START_S + 3600 + 299, 60)
    assert sorted({ts for _, ts in of_samples(samples)}) == [
        START_S + 3660,
        START_S + 3720,
        START_S + 3780,
    ]


def test_throttled_time_is_a_share_of_each_interval_also_over_a_restart(source, history_server):
    start_s, end_s = RESTART_S - 600, RESTART_S + 600
    samples = source.read(Metric.THROTTLED_RATIO, start_s, end_s, 15)
    gained = gains(history_server.history, THROTTLED_SECONDS, start_s, end_s)
    assert_equal(of_samples(samples), {key: value / STEP_S for key, value in gained.items()})


def test_minutes_of_throttling_are_shares_of_a_minute(source):
    start_s = START_S + DAY_S
    table = of_samples(source.read(Metric.THROTTLED_RATIO, start_s, start_s + 3600, 60))
    of_train = [value for (worker, _), value in table.items() if worker == "train-0"]
    assert len(of_train) == 60
    np.testing.assert_allclose(of_train, 0.5, atol=1e-5)


def test_refused_allocations_are_counted_where_they_happened(source, history_server):
    start_s, end_s = START_S + 34 * 3600, START_S + 38 * 3600
    gained = gains(history_server.history, VRAM_DENIED, start_s, end_s)
    expected = {key: value for key, value in gained.items() if value > 0}
    assert_equal(of_samples(source.read(Metric.VRAM_DENIED, start_s, end_s, 15)), expected)


def test_minutes_lose_no_refused_allocation(source, history_server):
    start_s, end_s = START_S + 30 * 3600, START_S + 35 * 3600
    gained = gains(history_server.history, VRAM_DENIED, start_s, end_s)
    samples = source.read(Metric.VRAM_DENIED, start_s, end_s, 60)
    assert samples.value.sum() == sum(gained.values())


def test_labels_are_ours_alone_and_unescaped(source):
    samples = source.read(Metric.TFLOPS, START_S + 3600, START_S + 3660, 15)
    notebook = next(label for label in samples.labels if label["worker"] == "notebook-a")
    assert notebook == {
        "namespace": "lab",
        "workload": "notebook",
        "worker": "notebook-a",
        "uuid": "GPU-notebook-a",
        "gpu_model": "NVIDIA H100 80GB HBM3",
        "pool": ODD_POOL,
        "node": "node-1",
        "qos": "medium",
    }


def test_the_table_of_labels_stays_the_same_object_while_nothing_is_new(source):
    first = source.read(Metric.TFLOPS, START_S + 3600, START_S + 3660, 15)
    second = source.read(Metric.TFLOPS, START_S + 3660, START_S + 3720, 15)
    assert second.labels is first.labels


def test_an_unknown_metric_and_an_empty_time_have_no_samples(source):
    assert len(source.read("watts", START_S, END_S, 60)) == 0
    assert len(source.read(Metric.TFLOPS, START_S - DAY_S, START_S - 3600, 60)) == 0


def test_the_queries_of_a_workload_give_its_samples_and_no_other(source, history_server):
    source.read(Metric.TFLOPS, START_S + 3600, START_S + 3660, 15)
    mean, highest = source.promql(Metric.TFLOPS, "serving", "chat")
    answer = source.client.instant(highest, START_S + 7200)
    assert {label["worker"] for label in answer.labels} == {"chat-0", "chat-1"}
    _, tops = minute_blocks(history_server.history, TFLOPS, START_S + 7140, START_S + 7200)
    found = {
        (label["worker"], START_S + 7140): value
        for label, value in zip(answer.labels, answer.value.tolist(), strict=True)
    }
    assert_equal(found, {key: value for key, value in tops.items() if key[0].startswith("chat")})
    assert mean.startswith("avg_over_time(tf_worker_compute_tflops{")
