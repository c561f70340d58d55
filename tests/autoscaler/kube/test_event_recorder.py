from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import ApiUnavailableError, ForbiddenError, ThrottledError
from autoscaler.kube.event import EventType, Reference
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.event_series import MOST_SERIES
from autoscaler.kube.write_budget import WriteBudget
from tests.autoscaler.kube.event_server import EventServer
from tests.autoscaler.kube.steady_clock import SteadyClock
from tests.components.processes import until

WALL_S = 1_767_225_600.0
WORKLOAD = Reference(
    api_version="tensor-fusion.ai/v1",
    kind="TensorFusionWorkload",
    namespace="team",
    name="llm",
    uid="u-1",
)


@pytest.fixture
def server():
    return EventServer()


@pytest.fixture
def clock():
    return SteadyClock(0.0)


def recorder_of(server, clock, *, budget=None, **others):
    return EventRecorder(
        server,
        controller="tensor-fusion.ai/controller",
        instance="pod_1",
        budget=WriteBudget(monotonic_s=clock, wait=clock.wait) if budget is None else budget,
        now_s=lambda: WALL_S + clock.now_s,
        monotonic_s=clock,
        **others,
    )


def record(recorder, note="tflops 2 -> 3", **others):
    fields = {"reason": "ResourceScaledUp", "action": "PatchWorkers"} | others
    recorder.record(WORKLOAD, note=note, **fields)


def only_event(server):
    (event,) = server.events.values()
    return event


def test_nothing_is_written_by_who_records(server, clock):
    recorder = recorder_of(server, clock)
    record(recorder)
    assert server.calls == []
    recorder.write_due()
    event = only_event(server)
    assert (event["note"], event["eventTime"]) == ("tflops 2 -> 3", "2026-01-01T00:00:00.000000Z")
    assert recorder.snapshot().written == 1


def test_what_happens_again_within_ten_minutes_is_counted_in_the_same_event(server, clock):
    recorder = recorder_of(server, clock)
    for _ in range(2):
        record(recorder)
        recorder.write_due()
        clock.wait(60.0)
    assert only_event(server)["series"] == {
        "count": 2,
        "lastObservedTime": "2026-01-01T00:01:00.000000Z",
    }


def test_what_differs_in_anything_is_another_event(server, clock):
    recorder = recorder_of(server, clock)
    record(recorder)
    record(recorder, note="tflops 3 -> 4")
    record(recorder, reason="ResourceScaledDown")
    record(recorder, action="PatchScale")
    record(recorder, type=EventType.WARNING)
    record(recorder, related=WORKLOAD)
    recorder.write_due()
    assert len(server.events) == 6


def test_after_ten_minutes_the_same_is_a_new_event(server, clock):
    recorder = recorder_of(server, clock)
    record(recorder)
    recorder.write_due()
    clock.wait(600.0)
    record(recorder)
    recorder.write_due()
    assert server.verbs() == ["create", "create"]
    assert len(server.events) == 2


@given(st.integers(1, 300))
def test_repeats_are_few_writes_and_the_last_count_is_exact(times):
    server, clock = EventServer(), SteadyClock(0.0)
    recorder = recorder_of(server, clock)
    for _ in range(times):
        record(recorder)
        recorder.write_due()
        clock.wait(1.0)
    clock.wait(600.0)
    recorder.write_due()
    assert only_event(server).get("series", {"count": 1})["count"] == times
    assert len(server.calls) <= 2 + times.bit_length()


def test_repeats_before_the_first_write_are_one_write(server, clock):
    recorder = recorder_of(server, clock)
    for _ in range(5):
        record(recorder)
    recorder.write_due()
    assert server.verbs() == ["create"]
    assert only_event(server)["series"]["count"] == 5


def test_a_full_queue_drops_new_events_and_counts_them(server, clock):
    recorder = recorder_of(server, clock, largest_queue=2)
    for number in range(5):
        record(recorder, note=f"event {number}")
    recorder.write_due()
    assert {event["note"] for event in server.events.values()} == {"event 0", "event 1"}
    shown = recorder.snapshot()
    assert (shown.recorded, shown.written, shown.dropped) == (5, 2, 3)


def test_too_many_series_end_the_oldest_early_with_its_count(server, clock):
    budget = WriteBudget(1e6, monotonic_s=clock, wait=clock.wait)
    recorder = recorder_of(server, clock, budget=budget, largest_queue=10_000)
    for _ in range(3):
        record(recorder, note="first")
        recorder.write_due()
    for number in range(MOST_SERIES):
        record(recorder, note=f"event {number}")
    record(recorder, note="first")
    recorder.write_due()
    firsts = [event for event in server.events.values() if event["note"] == "first"]
    assert [event.get("series", {"count": 1})["count"] for event in firsts] == [3, 1]
    assert len(server.events) == MOST_SERIES + 2


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        (ApiUnavailableError("gone"), 5.0),
        (ThrottledError("slowly"), 5.0),
        (ThrottledError("slowly", retry_after_s=30.0), 30.0),
        (ApiUnavailableError("much later", retry_after_s=86_400.0), 60.0),
    ],
)
def test_an_event_is_written_later_where_the_server_cannot_now(server, clock, error, wait_s):
    recorder = recorder_of(server, clock)
    server.before = lambda verb: fail(error)
    record(recorder)
    recorder.write_due()
    assert (server.verbs(), recorder.snapshot().waiting) == (["create"], 1)
    assert recorder.snapshot().last_error == str(error)
    server.before = lambda verb: None
    clock.wait(wait_s - 0.1)
    recorder.write_due()
    assert server.events == {}
    clock.wait(0.1)
    recorder.write_due()
    assert (len(server.events), recorder.snapshot().failed) == (1, 0)


def test_an_event_that_is_refused_is_counted_and_the_next_one_written(server, clock, caplog):
    recorder = recorder_of(server, clock)
    server.before = lambda verb: fail(ForbiddenError("namespace team is being terminated"))
    record(recorder, note="first")
    recorder.write_due()
    server.before = lambda verb: None
    record(recorder, note="second")
    recorder.write_due()
    assert only_event(server)["note"] == "second"
    shown = recorder.snapshot()
    assert (shown.failed, shown.last_error) == (1, "namespace team is being terminated")
    assert "about TensorFusionWorkload team/llm could not be written" in caplog.text


def test_an_event_that_cannot_be_written_at_all_does_not_end_the_thread(server, caplog):
    recorder = EventRecorder(server, controller="c", instance="i", budget=WriteBudget())
    recorder.start()
    record(recorder, note="a file named \udcff" + "x" * 1024)
    record(recorder, note="second")
    recorder.stop(deadline_s=60.0)
    assert only_event(server)["note"] == "second"
    shown = recorder.snapshot()
    assert (shown.failed, shown.written) == (1, 1)
    assert "surrogates not allowed" in shown.last_error
    assert "about TensorFusionWorkload team/llm could not be written" in caplog.text


def test_an_event_whose_answer_got_lost_is_not_written_twice(server, clock):
    recorder = recorder_of(server, clock)
    create = server.create

    def create_and_break(resource, obj):
        create(resource, obj)
        raise ApiUnavailableError("the connection broke")

    server.create = create_and_break
    record(recorder)
    recorder.write_due()
    server.create = create
    clock.wait(5.0)
    recorder.write_due()
    assert (len(server.events), recorder.snapshot().written) == (1, 1)


def test_an_event_that_was_deleted_is_written_anew_when_it_happens_again(server, clock):
    recorder = recorder_of(server, clock)
    record(recorder)
    recorder.write_due()
    server.events.clear()
    record(recorder)
    recorder.write_due()
    record(recorder)
    recorder.write_due()
    assert len(server.events) == 1
    assert server.verbs() == ["create", "patch", "create"]


def test_events_take_no_more_than_the_budget_gives(server, clock):
    budget = WriteBudget(10.0, monotonic_s=clock, wait=clock.wait)
    recorder = recorder_of(server, clock, budget=budget)
    for number in range(40):
        record(recorder, note=f"event {number}")
    recorder.write_due()
    assert len(server.events) == 40
    # Of the 10 writes of the full bucket 4.5 are left to what is more urgent.
    assert clock.now_s == pytest.approx((40 - 10 + 4.5) / 10.0, abs=0.01)


def test_a_paused_budget_is_asked_again_later_and_not_all_the_time(server, clock):
    budget = WriteBudget(10.0, monotonic_s=clock, wait=clock.wait)
    recorder = recorder_of(server, clock, budget=budget)
    budget.observed(0.01, was_throttled=True, retry_after_s=30.0)
    record(recorder)
    recorder.write_due()
    recorder.write_due()
    assert (budget.snapshot().refused, server.calls) == (1, [])
    clock.wait(30.0)
    recorder.write_due()
    assert len(server.events) == 1


def test_a_thread_writes_what_is_recorded_and_ends_with_the_last_counts(server):
    recorder = EventRecorder(server, controller="c", instance="i", budget=WriteBudget())
    recorder.start()
    record(recorder)
    until(lambda: server.events, what="the event is written")
    for _ in range(4):
        record(recorder)
    recorder.stop(deadline_s=20.0)
    assert only_event(server)["series"]["count"] == 5
    assert recorder.snapshot().waiting == 0


def test_a_server_that_hangs_delays_nobody_who_records(server):
    recorder = EventRecorder(server, controller="c", instance="i", budget=WriteBudget())
    goes_on = Event()
    server.before = lambda verb: goes_on.wait(60.0)
    recorder.start()
    record(recorder, note="first")
    until(lambda: server.calls, what="the first event is on its way")
    for number in range(2000):
        record(recorder, note=f"event {number}")
    shown = recorder.snapshot()
    assert (shown.recorded, shown.written, shown.waiting) == (2001, 0, 1000)
    goes_on.set()
    recorder.stop(deadline_s=0.0)
    shown = recorder.snapshot()
    assert shown.written + shown.dropped == 2001


def test_stopping_does_not_wait_for_a_server_that_is_away(server, clock):
    recorder = EventRecorder(server, controller="c", instance="i", budget=WriteBudget())
    server.before = lambda verb: fail(ApiUnavailableError("gone"))
    recorder.start()
    record(recorder)
    until(lambda: recorder.snapshot().last_error, what="a write has failed")
    recorder.stop(deadline_s=0.05)
    assert (recorder.snapshot().dropped, recorder.snapshot().waiting) == (1, 0)


def fail(error):
    raise error
