"""What is urgent waits for nothing that is not: neither for others of its tick nor for statuses."""

import threading

import pytest

from autoscaler.api.names import Condition
from autoscaler.scaling.live.live_cluster import LEAST_SHARE, LiveCluster
from autoscaler.scaling.live.status.statement import Said, Shown
from autoscaler.scaling.live.writing.stating import Asked
from tests.autoscaler.scaling.live.writing_world import WritingWorld, change
from tests.autoscaler.workloads.objects import TEAM
from tests.components.processes import until

URGENT = {"limit": {"tflops": 30.0}, "is_urgent": True}
SHOWN = [f"shown-{number}" for number in range(20)]


@pytest.fixture
def world():
    world = WritingWorld()
    for name in ("saturated", "lower", *SHOWN):
        world.add(name)
    yield world
    world.close()


def names(writes):
    return [path.split("/")[-2] for path in writes]


class Waiting:
    """Prepares changes that are not urgent only once an urgent one stands in its status."""

    def __init__(self, world, preparing):
        self.world, self.preparing = world, preparing

    def prepare(self, key, changes):
        if not any(each.is_urgent for each in changes):
            until(lambda: self.world.desired("saturated"), what="the urgent one is written")
        return self.preparing.prepare(key, changes)


def test_an_urgent_change_is_written_while_others_are_being_prepared(world):
    process = world.process()
    process.cluster._preparing = Waiting(world, process.cluster._preparing)

    lower, urgent = process.tick(
        change("lower", request={"tflops": 2.0}), change("saturated", **URGENT)
    )

    assert (lower.applied, urgent.applied) == (True, True)
    assert names(world.writes()) == ["saturated", "lower"]


def let_wait(world, process):
    """Let statuses be shown, of which the first hangs; return what lets it go on."""
    is_stuck, go_on = threading.Event(), threading.Event()

    def hang(method, path):
        is_stuck.set()
        go_on.wait(30.0)

    world.api.before = hang
    said = {Condition.STALE_METRICS: Said.yes("NoSamples", "nothing was measured")}
    for name in SHOWN:
        process.stating._writing._statements.show(world.workload(name), Shown(said=said))
        process.stating.show((TEAM, name))
    is_stuck.wait(30.0)
    return go_on


def test_an_urgent_change_overtakes_all_statuses_that_wait_and_none_is_lost(world):
    process, outcomes = world.process(), []
    go_on = let_wait(world, process)
    ticking = threading.Thread(
        target=lambda: outcomes.extend(process.tick(change("saturated", **URGENT), is_seen=False))
    )
    ticking.start()
    until(
        lambda: process.stating.snapshot().queue.backlog["saturation"] == 1,
        what="the urgent one waits",
    )
    go_on.set()
    ticking.join(30.0)
    until(lambda: len(world.api.writes()) > len(SHOWN), what="all is written")

    written = names(world.writes())
    # The one that was on its way cannot be overtaken.
    assert written.index("saturated") == 1
    assert sorted(written) == sorted([*SHOWN, "saturated"])
    assert [each.applied for each in outcomes] == [True]


class NoViews:
    def snapshot(self):
        return []

    def of(self, keys):
        return []


class NoGuards:
    def learn(self, workloads):
        pass

    def keys(self):
        return ()

    def observe(self, views):
        return ()


class Deadlines:
    """A ``Stating`` that notes how long it may take."""

    def __init__(self):
        self.within_s = []

    def ask(self, wishes):
        return Asked(0)

    def results(self, asked, *, within_s):
        self.within_s.append(within_s)
        return []


@pytest.mark.parametrize(
    ("decided_s", "within_s"), [(0.0, 10.0), (2.5, 7.5), (7.0, LEAST_SHARE * 10.0), (99.0, 4.0)]
)
def test_a_tick_that_decided_for_long_has_less_time_to_write_but_always_some(decided_s, within_s):
    stating, now_s = Deadlines(), [100.0]
    cluster = LiveCluster(
        views=NoViews(),
        find=lambda *_: None,
        workloads=list,
        preparing=None,
        stating=stating,
        guards=NoGuards(),
        telling=None,
        apply_within_s=10.0,
        monotonic_s=lambda: now_s[0],
    )
    cluster.snapshot()
    now_s[0] += decided_s

    cluster.apply([])

    assert stating.within_s == pytest.approx([within_s] * 2)
