"""Jobs on a real scheduler: one thread for the loop, each job once at a time, errors told once."""

import logging
import threading
from contextlib import contextmanager

from autoscaler.errors import SourceUnavailableError
from autoscaler.scaling.running.counts.job_counts import JobOutcome
from autoscaler.scaling.running.jobs import Job, Jobs, Thread
from tests.components.processes import until

OFTEN_S = 0.02
DEADLINE_S = 10.0


@contextmanager
def running(*jobs):
    scheduled = Jobs(jobs)
    scheduled.start()
    try:
        yield scheduled
    finally:
        scheduled.stop(DEADLINE_S)


def runs(jobs, name, outcome=JobOutcome.DONE):
    return jobs.snapshot()[name].runs[outcome]


def test_jobs_of_the_loop_share_one_thread_and_never_run_at_the_same_time():
    seen, busy, overlaps = set(), threading.Lock(), []

    def work():
        if not busy.acquire(blocking=False):
            overlaps.append(True)
            return
        seen.add(threading.get_ident())
        busy.release()

    jobs = [Job(name=name, every_s=OFTEN_S, run=work, thread=Thread.LOOP) for name in "abc"]
    with running(*jobs) as scheduled:
        until(lambda: all(runs(scheduled, name) >= 3 for name in "abc"), what="all have run")

    assert (len(seen), overlaps) == (1, [])


def test_a_slow_job_beside_the_loop_delays_no_tick():
    may_end = threading.Event()
    slow = Job(name="slow", every_s=OFTEN_S, run=may_end.wait)
    tick = Job(name="tick", every_s=OFTEN_S, run=lambda: None, thread=Thread.LOOP)

    with running(slow, tick) as scheduled:
        until(lambda: runs(scheduled, "tick") >= 3, what="the tick runs")
        until(lambda: runs(scheduled, "slow", JobOutcome.SKIPPED) >= 1, what="a run is skipped")
        assert runs(scheduled, "slow") == 0
        may_end.set()


def test_a_job_begins_when_it_is_told_to():
    later = Job(name="later", every_s=OFTEN_S, run=lambda: None, first_after_s=3600.0)
    now = Job(name="now", every_s=3600.0, run=lambda: None)

    with running(later, now) as scheduled:
        until(lambda: runs(scheduled, "now") == 1, what="one has run")
        assert runs(scheduled, "later") == 0


def test_a_job_that_fails_goes_on_and_is_told_once_for_each_error(caplog):
    errors = (
        [SourceUnavailableError("no answer")] * 3 + [SourceUnavailableError("another")] + [None]
    )
    left = iter(errors)

    def work():
        error = next(left, None)
        if error is not None:
            raise error

    caplog.set_level(logging.INFO)
    with running(Job(name="tick", every_s=OFTEN_S, run=work)) as scheduled:
        until(lambda: runs(scheduled, "tick") >= 2, what="it is done again")

    assert runs(scheduled, "tick", JobOutcome.FAILED) == 4
    told = [record.getMessage() for record in caplog.records if "job tick" in record.getMessage()]
    assert told == [
        "job tick failed, and is tried again: no answer",
        "job tick failed, and is tried again: another",
        "job tick: all is well again",
    ]


def test_a_defect_is_told_with_its_traceback_and_ends_nothing(caplog):
    def work():
        return 1 / 0

    with running(Job(name="tick", every_s=OFTEN_S, run=work)) as scheduled:
        until(lambda: runs(scheduled, "tick", JobOutcome.FAILED) >= 2, what="it ran again")

    [told] = caplog.messages
    assert told.startswith("job tick: a defect, and the job goes on: ZeroDivisionError")
    assert "return 1 / 0" in told
    assert scheduled.snapshot()["tick"].is_failing


def test_at_the_end_what_runs_is_waited_for_and_nothing_begins():
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        may_end.wait()
        ended.append(True)

    first = Job(name="first", every_s=OFTEN_S, run=work, thread=Thread.LOOP)
    behind = Job(name="behind", every_s=OFTEN_S, run=lambda: None, thread=Thread.LOOP)
    jobs = Jobs([first, behind])
    jobs.start()
    begun.wait()

    late = jobs.stop(0.05)
    may_end.set()
    until(lambda: jobs.stop(DEADLINE_S) == (), what="it has ended")

    assert (late, ended) == (("first",), [True])
    assert runs(jobs, "first", JobOutcome.DONE) <= 1
