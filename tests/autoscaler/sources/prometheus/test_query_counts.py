from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscaler.sources.prometheus.query_counts import DURATION_BUCKETS_S, Outcome, QueryCounts


def test_a_new_source_has_every_outcome_at_zero():
    snapshot = QueryCounts().snapshot()
    assert snapshot.queries == dict.fromkeys(Outcome, 0)
    assert snapshot.last_success_s is None
    assert snapshot.last_error is None
    assert len(snapshot.durations) == len(DURATION_BUCKETS_S) + 1


def test_answers_and_failures_are_counted_apart():
    counts = QueryCounts()
    counts.observe(Outcome.OK, duration_s=0.2, now_s=100.0, samples=7, answer_bytes=70)
    counts.observe(Outcome.PARTIAL, duration_s=0.3, now_s=110.0, samples=3, answer_bytes=30)
    counts.observe(Outcome.TIMEOUT, duration_s=65.0, now_s=120.0, error="too slow")
    counts.retried()
    snapshot = counts.snapshot()
    assert snapshot.queries[Outcome.OK] == 1
    assert snapshot.partial == 1
    assert snapshot.queries[Outcome.TIMEOUT] == 1
    assert (snapshot.samples, snapshot.answer_bytes, snapshot.retries) == (10, 100, 1)
    assert snapshot.duration_sum_s == pytest.approx(65.5)
    assert snapshot.last_success_s == 110.0
    assert (snapshot.last_error_s, snapshot.last_error) == (120.0, "too slow")


def test_a_duration_at_the_end_of_a_bucket_belongs_to_it():
    counts = QueryCounts()
    for duration_s in (0.0, 0.01, 0.011, 120.0, 121.0):
        counts.observe(Outcome.OK, duration_s=duration_s, now_s=0.0)
    durations = counts.snapshot().durations
    assert durations[:2] == (2, 1)
    assert durations[-2:] == (1, 1)


def test_a_snapshot_does_not_change():
    counts = QueryCounts()
    snapshot = counts.snapshot()
    counts.observe(Outcome.OK, duration_s=0.0, now_s=0.0)
    assert snapshot.queries[Outcome.OK] == 0
    with pytest.raises(TypeError):
        snapshot.queries[Outcome.OK] = 1


def test_clients_on_several_threads_lose_no_count():
    counts = QueryCounts()

    def work(_):
        for _ in range(500):
            counts.observe(Outcome.OK, duration_s=0.0, now_s=0.0, samples=1)
            counts.retried()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    snapshot = counts.snapshot()
    assert (snapshot.queries[Outcome.OK], snapshot.samples, snapshot.retries) == (2000, 2000, 2000)
