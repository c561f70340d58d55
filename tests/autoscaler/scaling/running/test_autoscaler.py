"""The course of the process: caches, lead, decisions, and an orderly end."""

import threading
from contextlib import contextmanager

import pytest

from autoscaler.api.control import Control, ProcessMode
from autoscaler.clock import VirtualClock
from autoscaler.errors import UsageError
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.scaling.running.autoscaler import LEAST_STUCK_S, Autoscaler, Parts
from autoscaler.scaling.running.checkpoints import Checkpoints
from autoscaler.scaling.running.counts.job_counts import JobOutcome
from autoscaler.scaling.running.counts.tick_counts import TickCounts
from autoscaler.scaling.running.health_gate import HealthGate
from autoscaler.scaling.running.jobs import Job
from autoscaler.scaling.running.rules import AutoscalerRules
from autoscaler.scaling.running.ticking import Ticking
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, view
from tests.components.processes import until

HOUR = 3600


class Diary:
    """Parts of a process that write down what is done to them."""

    def __init__(self):
        self.lines = []
        self.has_synced = self.may_lead = True

    def part(self, name):
        return Noted(self, name)

    def problems(self):
        return () if self.has_synced else ("pods are not listed yet",)


class Noted:
    def __init__(self, diary, name):
        self._diary = diary
        self._name = name

    def start(self):
        self._diary.lines.append(f"{self._name} starts")

    def stop(self):
        self._diary.lines.append(f"{self._name} stops")

    @property
    def has_synced(self):
        return self._diary.has_synced

    def problems(self):
        return self._diary.problems()

    def wait_until_leader(self, timeout_s):
        return self._diary.may_lead or threading.Event().wait(timeout_s)


class World:
    """An autoscaler over one workload, with a diary."""

    def __init__(self, tmp_path, *, is_elected=True, jobs=()):
        self.diary = Diary()
        self.source, clock = ListSource("tflops", "vram_bytes"), VirtualClock(START + 2 * HOUR)
        for ts in range(START, START + 2 * HOUR, 60):
            self.source.put("tflops", ts, 79.0)
            self.source.put("vram_bytes", ts, 4e9)
        self.state = tmp_path / "state"
        rules = AutoscalerRules(tick_s=1.0, requests_every_s=1.0, since_s=HOUR)
        self.loop = Loop(
            StandingCluster(view("chat", "auto-limits")),
            self.source,
            clock,
            UsageModel((TFLOPS, VRAM)),
            LoopSettings(period_s=rules.period_s),
        )
        counts = TickCounts()
        gate = HealthGate(None, metrics_within_s=60.0)
        self.now_s = 0.0
        self.ticking = Ticking(
            self.loop,
            gate,
            counts,
            control=lambda: Control(mode=ProcessMode.APPLY),
            monotonic_s=lambda: self.now_s,
        )
        self.autoscaler = Autoscaler(
            Parts(
                rules=rules,
                loop=self.loop,
                clock=clock,
                ticking=self.ticking,
                checkpoints=Checkpoints(
                    self.loop, self.state, counts, is_whole=lambda: self.ticking.warming is None
                ),
                gate=gate,
                open_history=self.open,
                caches=self.diary.part("caches"),
                election=self.diary.part("election") if is_elected else None,
                services=(self.diary.part("events"), self.diary.part("writing")),
                jobs=jobs,
            ),
            monotonic_s=lambda: self.now_s,
        )
        self.stop = threading.Event()
        self.errors = []

    @contextmanager
    def open(self):
        yield self.source

    @contextmanager
    def running(self):
        def run():
            try:
                self.autoscaler.run(self.stop)
            except Exception as error:  # noqa: BLE001 - for the test to look at
                self.errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield self.autoscaler
        finally:
            self.stop.set()
            thread.join()

    def runs(self, job):
        return self.autoscaler.jobs()[job].runs[JobOutcome.DONE]


def test_a_leader_decides_reads_its_history_and_keeps_its_state(tmp_path):
    world = World(tmp_path)

    with world.running() as autoscaler:
        until(lambda: world.ticking.warming is None, what="the history was read")
        until(lambda: world.runs("tick") >= 2, what="it ticks")

    assert world.errors == []
    assert world.loop.records.history_of(("team", "chat")) != ()
    assert world.state.stat().st_size > 0
    assert autoscaler.stuck() == ()


def test_parts_start_in_their_order_and_stop_in_the_opposite_one(tmp_path):
    world = World(tmp_path)

    with world.running():
        until(lambda: world.runs("tick") >= 1, what="it ticks")

    assert world.diary.lines == [
        "caches starts",
        "election starts",
        "events starts",
        "writing starts",
        "writing stops",
        "events stops",
        "election stops",
        "caches stops",
    ]


def test_a_process_without_caches_does_not_campaign(tmp_path):
    world = World(tmp_path)
    world.diary.has_synced = False

    with world.running() as autoscaler:
        until(lambda: "caches starts" in world.diary.lines, what="it has begun")
        assert autoscaler.problems() == ("pods are not listed yet",)

    assert world.diary.lines == ["caches starts", "caches stops"]


def test_a_standby_is_ready_and_decides_nothing(tmp_path):
    world = World(tmp_path)
    world.diary.may_lead = False

    with world.running() as autoscaler:
        until(lambda: "election starts" in world.diary.lines, what="it campaigns")
        assert (autoscaler.problems(), autoscaler.stuck()) == ((), ())

    assert world.runs("tick") == 0
    assert not world.state.exists()


def test_a_process_without_election_decides_at_once(tmp_path):
    world = World(tmp_path, is_elected=False)

    with world.running():
        until(lambda: world.runs("tick") >= 1, what="it ticks")

    assert "election starts" not in world.diary.lines


def test_jobs_of_a_profile_run_beside_the_tick(tmp_path):
    world = World(tmp_path, jobs=[Job(name="rivals", every_s=60.0, run=lambda: None)])

    with world.running():
        until(lambda: world.runs("rivals") == 1, what="it has run")

    assert set(world.autoscaler.jobs()) == {"tick", "checkpoint", "health", "rivals"}


def test_half_a_history_is_not_kept(tmp_path):
    world = World(tmp_path)
    world.source.down.add("vram_bytes")

    with world.running():
        until(lambda: world.runs("tick") >= 1, what="it ticks")
        assert world.ticking.warming is not None

    assert not world.state.exists()


def test_a_state_that_can_never_be_kept_ends_the_process(tmp_path):
    world = World(tmp_path / "missing")

    with world.running():
        until(lambda: world.errors != [], what="it has ended")

    [error] = world.errors
    assert isinstance(error, UsageError)
    assert world.diary.lines[-2:] == ["election stops", "caches stops"]


@pytest.mark.parametrize(("silent_s", "is_stuck"), [(1.0, False), (LEAST_STUCK_S + 1, True)])
def test_a_leader_whose_ticks_do_not_end_is_stuck(tmp_path, silent_s, is_stuck):
    world = World(tmp_path)
    begun, may_end, read = threading.Event(), threading.Event(), world.source.read

    def read_slowly(*arguments):
        begun.set()
        may_end.wait()
        return read(*arguments)

    world.source.read = read_slowly
    with world.running() as autoscaler:
        until(begun.is_set, what="it decides")
        world.now_s += silent_s
        stuck = autoscaler.stuck()
        may_end.set()

    assert bool(stuck) is is_stuck
    assert autoscaler.stuck() == ()
