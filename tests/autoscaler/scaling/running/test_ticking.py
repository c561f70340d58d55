"""One tick of the process: what is set before it, and what follows it."""

import logging
from dataclasses import replace

import pytest

from autoscaler.api.control import Control, ProcessMode
from autoscaler.clock import VirtualClock
from autoscaler.errors import ApiUnavailableError
from autoscaler.scaling.collect.collecting import Collector
from autoscaler.scaling.holding import Hold
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.scaling.running.counts.tick_counts import SHOW, UPKEEP, TickCounts
from autoscaler.scaling.running.health_gate import HealthGate
from autoscaler.scaling.running.ticking import Ticking
from autoscaler.scaling.running.warming import Warmed
from autoscaler.sources.source import Metric
from recommender.decision import Layer
from recommender.policy.model import Mode
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, view
from tests.autoscaler.scaling.histories import read_history

HOUR = 3600
APPLY = Control(mode=ProcessMode.APPLY)
RESOURCES = (TFLOPS, VRAM)


class Reading:
    """Stands for the reader of a history."""

    def __init__(self):
        self.seen = []
        self.warmed = None

    def see(self, views):
        self.seen.append(tuple(view.workload for view in views))

    def result(self):
        warmed, self.warmed = self.warmed, None
        return warmed


class World:
    """A loop over one workload whose use is given, and its ticking."""

    def __init__(self, use=79.0, *, shows=(), upkeep=None):
        self.source, self.clock = ListSource("tflops"), VirtualClock(START + 2 * HOUR)
        for ts in range(START, START + 3 * HOUR, 15):
            self.source.put("tflops", ts, use)
        self.cluster = StandingCluster(view("chat", "auto-limits"))
        self.loop = Loop(
            self.cluster,
            self.source,
            self.clock,
            UsageModel(RESOURCES),
            LoopSettings(mode=Mode.RECOMMEND),
        )
        read_history(self.loop, START)
        self.webhook_problems = ()
        self.monotonic_s = 50.0
        self.gate = HealthGate(
            lambda: self.webhook_problems,
            metrics_within_s=60.0,
            monotonic_s=lambda: self.monotonic_s,
        )
        self.gate.look()
        self.gate.metrics_were_read()
        self.control = APPLY
        self.counts = TickCounts()
        self.ticks = []
        self.ticking = Ticking(
            self.loop,
            self.gate,
            self.counts,
            control=lambda: self.control,
            shows=(self.ticks.append, *shows),
            upkeep=upkeep,
            monotonic_s=lambda: self.monotonic_s,
        )

    def run(self):
        self.ticking.run()
        self.clock.advance_to(self.clock.now_s() + 15)
        return self.ticks[-1]


def test_changes_pass_in_mode_apply_with_an_open_gate():
    world = World()

    tick = world.run()

    assert (world.loop.mode, world.loop.hold) == (Mode.APPLY, None)
    assert [change.limit["tflops"] > 80.0 for change in world.cluster.applied] == [True]
    assert tick.held == ()


def test_the_mode_of_the_installation_counts_from_the_next_tick_on():
    world = World()
    world.control = Control(mode=ProcessMode.RECOMMEND)
    world.run()
    before = list(world.cluster.applied)

    world.control = APPLY
    world.run()

    assert (before, len(world.cluster.applied)) == ([], 1)


def test_limits_and_replicas_are_looked_at_in_every_tick_and_requests_in_their_own_time():
    world = World()

    first, second = world.run(), world.run()

    assert first.due == frozenset(Layer)
    assert second.due == {Layer.LIMITS, Layer.REPLICAS}


def test_a_closed_gate_lets_raises_of_running_workers_pass():
    world = World()
    world.webhook_problems = ("no answer",)
    world.monotonic_s += 3600.0
    world.gate.look()

    world.run()

    assert world.loop.hold is Hold.UNHEALTHY
    assert len(world.cluster.applied) == 1


def test_a_hold_for_want_of_metrics_is_shown_only_where_they_were_not_read():
    held = []
    world = World(use=5.0, shows=[lambda _: held.append(world.loop.hold)])
    world.monotonic_s += 3600.0

    tick = world.run()

    assert tick.held
    assert held == [None]


def test_a_closed_gate_holds_decreases_back():
    world = World(use=5.0)
    world.webhook_problems = ("no answer",)
    world.monotonic_s += 3600.0
    world.gate.look()

    tick = world.run()

    assert world.loop.hold is Hold.UNHEALTHY
    assert tick.planned
    assert len(tick.held) == len(tick.planned)
    assert world.cluster.applied == []


def test_only_raises_pass_until_the_history_was_read():
    world = World(use=5.0)
    reading = Reading()
    world.ticking.warm_by(reading)

    held = world.run()
    reading.warmed = warmed(world)
    world.run()

    assert held.planned
    assert len(held.held) == len(held.planned)
    assert (world.loop.hold, world.ticking.warming) == (None, None)
    assert world.loop.model is not None
    assert world.cluster.applied != []


def warmed(world):
    """Return a model that knows the same history."""
    model = UsageModel(RESOURCES)
    collector = Collector(world.source, model, step_s=15)
    collector.see(world.cluster.snapshot())
    collector.bootstrap(START, world.clock.now_s())
    return Warmed(model, collector.position())


def test_decisions_and_records_stay_when_the_history_takes_its_place():
    world = World()
    reading = Reading()
    world.ticking.warm_by(reading)
    world.run()
    history = world.loop.records.history_of(("team", "chat"))
    reading.warmed = warmed(world)
    model, raised_s = reading.warmed.model, world.loop.fleet.state.limit_raise_s

    world.run()

    assert world.loop.model is model
    assert world.loop.records.history_of(("team", "chat"))[: len(history)] == history != ()
    assert (world.loop.fleet.state.limit_raise_s == raised_s).all()


def test_what_was_evaluated_without_the_history_is_evaluated_anew_with_it():
    world = World(use=60.0)
    world.cluster.views = [view("chat", "auto-requests")]
    model = UsageModel(RESOURCES)
    without = Warmed(model, Collector(world.source, model, step_s=15).position())
    world.loop.swap_usage(without.model, without.position)
    reading = Reading()
    world.ticking.warm_by(reading)
    unknown = world.run()
    reading.warmed = warmed(world)

    known = world.run()

    assert (unknown.planned, known.due) == ((), frozenset(Layer))
    assert [change.request["tflops"] > 60.0 for change in world.cluster.applied] == [True]


def test_the_reader_of_the_history_learns_what_the_fleet_is():
    world = World()
    reading = Reading()
    world.ticking.warm_by(reading)

    world.run()
    world.cluster.error = ApiUnavailableError("no answer")
    world.run()
    world.cluster.error = None
    world.cluster.views = []
    world.run()

    assert reading.seen == [("chat",), ()]


def test_an_unhealthy_gate_counts_more_than_a_history_that_is_being_read():
    world = World()
    world.ticking.warm_by(Reading())
    world.monotonic_s += 3600.0
    world.source.down.add("tflops")

    world.run()

    assert world.loop.hold is Hold.UNHEALTHY


def test_metrics_are_healthy_once_all_amounts_were_read():
    world = World()
    world.monotonic_s += 3600.0
    world.source.down.add("tflops")
    world.run()
    failing = world.gate.problems()

    world.source.down.clear()
    world.source.put(Metric.THROTTLED_RATIO, START, 0.0)
    world.source.down.add(Metric.THROTTLED_RATIO)
    world.run()

    assert failing == ("the metrics could not be read for 60 s",)
    assert world.gate.problems() == ()


@pytest.mark.parametrize(
    ("error", "told"),
    [(ApiUnavailableError("no answer"), "no answer"), (KeyError("x"), "a defect: KeyError('x')")],
)
def test_what_cannot_be_shown_costs_no_other_reader_and_is_told_once(caplog, error, told):
    def fail(_tick):
        raise error

    shown = []
    caplog.set_level(logging.INFO)
    world = World(shows=[fail, shown.append])

    world.run()
    world.run()

    assert len(shown) == 2
    assert world.counts.snapshot().stage_errors == {(SHOW, type(error).__name__): 2}
    assert caplog.messages.count(f"what was decided cannot be shown: {told}") == 1
    assert world.ticking.since_last_s() == 0.0


def test_forecasts_that_cannot_be_made_better_cost_no_tick_and_that_is_told_once(caplog):
    def fail():
        raise KeyError("x")

    caplog.set_level(logging.INFO)
    world = World(upkeep=fail)

    first, _ = world.run(), world.run()

    assert first.decisions is not None
    assert world.counts.snapshot().stage_errors == {(UPKEEP, "KeyError"): 2}
    assert caplog.messages.count("forecasts stay as they are, a defect: KeyError('x')") == 1


def test_forecasts_are_kept_good_before_each_tick():
    kept = []
    world = World(upkeep=lambda: kept.append(len(world.ticks)))

    world.run()
    world.run()

    assert kept == [0, 1]
    assert UPKEEP in world.counts.snapshot().stage_success_s


def test_an_error_of_a_stage_is_told_once_and_so_is_its_end(caplog):
    caplog.set_level(logging.INFO)
    world = World()
    world.cluster.error = ApiUnavailableError("no answer")
    world.run()
    world.run()
    world.cluster.error = None
    world.run()

    told = [text for text in caplog.messages if "snapshot" in text]
    assert told == [
        "the stage snapshot failed, and the next tick goes on: no answer",
        "snapshot: all is well again",
    ]


def test_switches_that_cannot_be_read_are_told(caplog):
    world = World()
    world.control = Control(problem="mode 'aply' is not valid")
    caplog.clear()

    world.run()

    assert "ConfigMap tensor-fusion-control: mode 'aply' is not valid" in caplog.messages
    assert world.cluster.applied == []


def test_what_may_be_changed_is_told_whenever_that_changes(caplog):
    caplog.set_level(logging.INFO)
    world = World()

    for control in (Control(), Control(), APPLY, APPLY, replace(APPLY, is_paused=True)):
        world.control = control
        world.run()

    assert [text for text in caplog.messages if text.startswith("mode ")] == [
        "mode recommend: nothing is changed",
        "mode apply: what is enrolled is changed",
        "mode apply, paused: nothing is changed",
    ]


def test_the_age_of_the_last_tick_counts_from_its_end():
    world = World()
    world.monotonic_s += 7.0
    before = world.ticking.since_last_s()

    world.run()

    assert (before, world.ticking.since_last_s()) == (7.0, 0.0)
