"""What the last tick leaves for scrapes."""

from autoscaler.clock import VirtualClock
from autoscaler.errors import ApiUnavailableError
from autoscaler.scaling.loop import Loop
from autoscaler.scaling.running.checkpoints import Checkpoints
from autoscaler.scaling.running.counts.exported import Exported
from autoscaler.scaling.running.counts.tick_counts import TickCounts
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, view
from tests.autoscaler.scaling.histories import read_history
from tests.autoscaler.scaling.running.forecasting_fleet import ForecastingFleet

HOUR = 3600


class World:
    def __init__(self, path):
        source = ListSource("tflops")
        for ts in range(START, START + 2 * HOUR, 60):
            source.put("tflops", ts, 20.0)
        self.cluster = StandingCluster(view("chat", "auto-requests"))
        clock = VirtualClock(START + 2 * HOUR)
        self.loop = Loop(self.cluster, source, clock, UsageModel((TFLOPS, VRAM)))
        read_history(self.loop, START)
        self.checkpoints = Checkpoints(self.loop, path, TickCounts(), is_whole=lambda: True)
        self.exported = Exported(self.loop, self.checkpoints)

    def tick(self):
        self.exported(self.loop.tick())


def test_before_the_first_tick_nothing_is_recommended(tmp_path):
    exported = World(tmp_path / "state").exported

    assert exported.table() is None
    assert exported.loop().checkpoint_bytes is None


def test_a_tick_leaves_what_is_in_force_and_what_it_recommends(tmp_path):
    world = World(tmp_path / "state")
    world.checkpoints.save()

    world.tick()

    table = world.exported.table()
    assert [each.workload for each in table.views] == ["chat"]
    assert table.resources == ("tflops", "vram_bytes")
    assert table.request[0, 0] == 40.0
    assert 20.0 < table.recommended_request[0, 0] < 40.0
    assert world.exported.loop().workloads == 1
    assert world.exported.loop().checkpoint_bytes == (tmp_path / "state").stat().st_size


def test_while_the_cluster_cannot_be_seen_the_last_numbers_stay(tmp_path):
    world = World(tmp_path / "state")
    world.tick()
    world.cluster.error = ApiUnavailableError("no answer")

    world.tick()

    assert world.exported.table() is not None


def test_once_there_is_no_workload_there_are_no_numbers(tmp_path):
    world = World(tmp_path / "state")
    world.tick()
    world.cluster.views = []

    world.tick()

    assert world.exported.table() is None


def test_gates_of_forecasts_are_exported_with_the_evidence_of_their_workloads(tmp_path):
    fleet = ForecastingFleet(coming_s=HOUR)
    loop = fleet.loop_with_history()
    checkpoints = Checkpoints(loop, tmp_path / "state", TickCounts(), is_whole=lambda: True)
    exported = Exported(loop, checkpoints)

    for tick in fleet.move(loop, 600, step_s=300):
        exported(tick)

    gates = {subject[:2]: number for subject, number in exported.promises().gates.items() if number}
    assert gates == {
        ("limits", "tflops"): 1,
        ("limits", "vram_bytes"): 1,
        ("requests", "tflops"): 1,
        ("requests", "vram_bytes"): 1,
        ("replicas", "tflops"): 1,
    }
    assert exported.table().evidence.limits.gate.shape == (1, 2)


def test_where_nobody_asks_for_forecasts_there_is_no_evidence(tmp_path):
    world = World(tmp_path / "state")

    world.tick()

    assert world.exported.promises().gates == {}
    assert world.exported.table().evidence is None
