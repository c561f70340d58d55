"""A history that is read beside the loop, and takes its place."""

from contextlib import contextmanager

import pytest

from autoscaler.clock import VirtualClock
from autoscaler.scaling.collect.collecting import Collector
from autoscaler.scaling.running.warming import History, Warming
from autoscaler.sources.source import Metric
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, view
from tests.components.processes import until

HOUR = 3600
NOW = START + 4 * HOUR
RESOURCES = (TFLOPS, VRAM)
DEADLINE_S = 10.0


class World:
    """A source with some hours of use, and what reads them."""

    def __init__(self, history=None):
        self.source = ListSource("tflops", "vram_bytes")
        for ts in range(START, NOW, 60):
            self.source.put("tflops", ts, 20.0)
            self.source.put("vram_bytes", ts, 4e9)
        self.clock = VirtualClock(NOW)
        self.opened = self.closed = 0
        self.warming = Warming(
            history or History(since_s=START, model=UsageModel(RESOURCES)),
            self.open,
            self.clock,
            step_s=15,
        )

    @contextmanager
    def open(self):
        self.opened += 1
        try:
            yield self.source
        finally:
            self.closed += 1

    def result(self):
        return until(self.warming.result, what="the history is read")


@pytest.fixture
def world():
    world = World()
    yield world
    world.warming.stop(DEADLINE_S)


def points(model):
    """Return how many minutes of TFLOPS are known of the one workload."""
    [row] = [i for i, key in enumerate(model.workloads.keys) if key is not None]
    return int(model.stores[0].points[row])


def test_the_history_is_read_once_the_fleet_is_known(world):
    world.warming.start()
    assert world.warming.result() is None
    reads_before = list(world.source.reads)

    world.warming.see([view()])
    warmed = world.result()

    assert reads_before == []
    assert points(warmed.model) >= 4 * 60 - 3
    assert warmed.position.read_until_s["tflops"] == NOW
    assert world.warming.progress_ratio == 1.0
    until(lambda: not world.warming.is_alive, what="the thread has ended")
    assert (world.opened, world.closed) == (1, 1)


def test_a_result_is_taken_once(world):
    world.warming.see([view()])
    world.warming.start()
    world.result()

    assert world.warming.result() is None


def test_amounts_that_cannot_be_read_are_waited_for(world, caplog):
    world.source.down.add("vram_bytes")
    world.warming.see([view()])
    world.warming.start()
    until(lambda: "vram_bytes cannot be read" in caplog.text, what="it is told")
    before = world.warming.result()

    world.source.down.clear()
    warmed = world.result()

    assert before is None
    assert min(warmed.position.read_until_s.values()) == NOW
    # What was read before the error was not read again as a whole.
    assert points(warmed.model) <= 4 * 60


def test_what_is_joined_to_amounts_holds_nothing_up(world):
    world.source.put(Metric.THROTTLED_RATIO, START, 0.0)
    world.source.down.add(Metric.THROTTLED_RATIO)
    world.warming.see([view()])
    world.warming.start()

    assert points(world.result().model) >= 4 * 60 - 3


def test_a_defect_of_the_reader_is_told_and_the_history_is_tried_again(world, caplog):
    good, calls = world.source.read, []

    def fail_once(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise ZeroDivisionError("a defect")
        return good(*arguments)

    world.source.read = fail_once
    world.warming.see([view()])
    world.warming.start()

    assert world.result() is not None
    assert "the history cannot be read, a defect: a defect" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_history_that_was_begun_is_read_on_from_where_it_ended():
    first = World()
    begun = UsageModel(RESOURCES)
    collector = Collector(first.source, begun, step_s=15)
    collector.see([view()])
    collector.bootstrap(START, NOW - 2 * HOUR)
    world = World(History(since_s=START, model=begun, position=collector.position()))
    world.warming.see([view()])
    world.warming.start()

    warmed = world.result()

    assert min(start_s for _, start_s, _, _ in world.source.reads) > NOW - 3 * HOUR
    assert points(warmed.model) >= 4 * 60 - 3


def test_a_reader_that_is_stopped_reads_nothing_more(world):
    world.warming.start()

    world.warming.stop(DEADLINE_S)

    assert not world.warming.is_alive
    assert world.source.reads == []
    assert world.closed == 1
