"""Runs of jobs, counted."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.running.counts.duration_counts import JOB_BUCKETS_S, DurationCounts
from autoscaler.scaling.running.counts.job_counts import JobCounts, JobOutcome


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def test_outcomes_and_durations_are_counted_for_each_job():
    clock = Clock()
    counts = JobCounts(["tick", "page"], monotonic_s=clock, now_s=lambda: 1e9)

    with counts.running("tick"):
        clock.now_s += 0.2
    counts.ended("tick", JobOutcome.DONE)
    counts.ended("page", JobOutcome.SKIPPED)

    tick, page = counts.snapshot()["tick"], counts.snapshot()["page"]
    assert tick.runs == {
        JobOutcome.DONE: 1,
        JobOutcome.FAILED: 0,
        JobOutcome.MISSED: 0,
        JobOutcome.SKIPPED: 0,
    }
    assert (sum(tick.durations.buckets), round(tick.durations.sum_s, 6)) == (1, 0.2)
    assert (tick.last_done_s, tick.is_failing) == (1e9, False)
    assert (page.runs[JobOutcome.SKIPPED], page.last_done_s) == (1, None)


def test_a_job_fails_until_it_is_done_again():
    counts = JobCounts(["tick"])

    counts.ended("tick", JobOutcome.FAILED)
    counts.ended("tick", JobOutcome.SKIPPED)
    was_failing = counts.snapshot()["tick"].is_failing
    counts.ended("tick", JobOutcome.DONE)

    assert (was_failing, counts.snapshot()["tick"].is_failing) == (True, False)


def test_who_waits_is_told_what_still_runs():
    counts = JobCounts(["tick", "page"])
    running, may_end = threading.Event(), threading.Event()

    def work():
        with counts.running("tick"):
            running.set()
            may_end.wait()

    thread = threading.Thread(target=work)
    thread.start()
    running.wait()
    late = counts.wait_until_none_runs(0.01)
    may_end.set()
    thread.join()

    assert late == ("tick",)
    assert counts.wait_until_none_runs(0.01) == ()


@given(st.lists(st.floats(0.0, 1000.0)))
def test_every_duration_is_in_one_bucket(durations_s):
    counts = DurationCounts(JOB_BUCKETS_S)

    for duration_s in durations_s:
        counts.observe(duration_s)

    found = counts.durations()
    assert sum(found.buckets) == len(durations_s)
    for i, end_s in enumerate(JOB_BUCKETS_S):
        assert sum(found.buckets[: i + 1]) == sum(each <= end_s for each in durations_s)
