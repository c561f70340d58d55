"""The course of a controller, over an API server in memory and an election that a test decides."""

import threading
from contextlib import contextmanager

import pytest

from autoscaler.clock import SystemClock
from autoscaler.errors import ApiUnavailableError, AutoscalerError, ForbiddenError
from autoscaler.kube.event_recorder import EventRecorder
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import GPUS, NODES, PODS, POOLS
from autoscaler.kube.work_queue import WorkQueue
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.workloads.controller import STUCK_S, Controller
from autoscaler.workloads.parts import parts_of
from autoscaler.workloads.rules import ControllerRules
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.api_double import ApiDouble
from tests.autoscaler.kube.steady_clock import SteadyClock
from tests.autoscaler.webhook.listed_api import SilentStream
from tests.autoscaler.workloads.objects import gpu, node, placed, pool, worker
from tests.components.processes import until

DEADLINE_S = 20.0


class ApiWithoutNews(ApiDouble):
    """Lists what there is; nothing that happens later is told."""

    def watch(self, _resource, **_):
        return SilentStream()


class DecidedElection:
    """Is won when a test says so."""

    def __init__(self, log):
        self.won = threading.Event()
        self.log = log

    def is_leader(self):
        return self.won.is_set() and "stop" not in self.log

    def start(self):
        self.log.append("start")

    def wait_until_leader(self, timeout_s):
        return self.won.wait(timeout_s)

    def stop(self):
        self.log.append("stop")


class World:
    def __init__(self):
        self.api = ApiWithoutNews()
        self.log = []
        self.election = DecidedElection(self.log)
        self.stop = threading.Event()
        for resource, obj in ((POOLS, pool()), (NODES, node()), (GPUS, gpu())):
            self.api.add(resource, obj)
        budget = WriteBudget(1e6)
        self.events = EventRecorder(self.api, controller="c", instance="i", budget=budget)
        self.queue = WorkQueue()
        self.parts = parts_of(
            self.api,
            work=self.queue,
            rules=ControllerRules(workers=2),
            events=self.events,
            budget=budget,
            is_leader=self.election.is_leader,
            clock=SystemClock(),
        )
        self.controller = self.made()

    def made(self):
        return Controller(
            self.parts,
            self.queue,
            election=self.election,
            events=self.events,
            tasks=(self.task,),
        )

    def task(self, stop):
        self.log.append("task")
        stop.wait()
        self.log.append("task ended")

    @contextmanager
    def running(self):
        thread = threading.Thread(target=self.controller.run, args=(self.stop,))
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            thread.join(DEADLINE_S)
            assert not thread.is_alive()

    def is_placed(self, name):
        found = self.api.find(PODS, "team", name)
        return not found["spec"].get("schedulingGates")


@pytest.fixture
def world():
    return World()


def wait(condition, what):
    until(condition, what=what, deadline_s=DEADLINE_S)


def test_a_leader_places_what_waits_and_hands_over_when_all_has_ended(world):
    world.api.add(PODS, worker())
    with world.running():
        world.election.won.set()
        wait(lambda: world.is_placed("job"), "the pod is placed")
        wait(lambda: "task" in world.log, "the task runs")

    assert world.log == ["start", "task", "task ended", "stop"]


def test_a_standby_knows_what_is_held_and_writes_nothing(world):
    world.api.add(PODS, placed("other"))
    world.api.add(PODS, worker())
    with world.running():
        wait(lambda: "start" in world.log, "it campaigns")
        assert world.controller.problems() == ()
        [of_pool] = world.controller.snapshot().books.pools
        assert of_pool.requested.tflops == 10
        snapshot = world.queue.snapshot()
        assert (sum(snapshot.backlog.values()), snapshot.delayed) == (0, 0)

    assert world.api.writes() == []
    assert world.log == ["start", "stop"]


def test_a_thread_that_ends_by_itself_ends_the_controller_which_hands_over(world, caplog):
    def fail(_stop):
        raise ValueError("as the test wants it")

    world.task = fail
    world.election.won.set()

    with pytest.raises(AutoscalerError, match="task-1 ended by a defect"):
        world.made().run(world.stop)
    assert "as the test wants it" in caplog.text
    assert world.queue.is_closed
    assert world.log == ["start", "stop"]


def test_a_look_that_does_not_end_is_what_only_a_restart_helps_against(world):
    clock = SteadyClock()
    world.queue = WorkQueue(monotonic_s=clock)
    controller = world.made()
    world.queue.add(WorkKey(WorkKind.POD, "team", "job"), Priority.RAISE)
    world.queue.get(0)
    clock.wait(STUCK_S - 1.0)
    assert controller.stuck() == ()
    clock.wait(1.0)

    assert controller.stuck() == ("a worker has looked at pod team/job for more than 600 s",)


def test_it_does_not_campaign_before_it_knows_the_cluster(world):
    def refuse(method, path):
        if path.endswith("/gpus"):
            raise ForbiddenError("gpus is forbidden")

    world.api.before = refuse
    with world.running():
        why = ("gpus.tensor-fusion.ai are not listed yet: gpus is forbidden",)
        wait(lambda: world.controller.problems() == why, "it says why")

    assert world.log == []


def test_a_leader_that_cannot_list_the_workers_waits_with_its_work(world, caplog):
    world.api.add(PODS, worker())
    with world.running():
        wait(lambda: "start" in world.log, "it campaigns")

        def refuse(method, path):
            if path.endswith("/pods"):
                raise ApiUnavailableError("no answer")

        world.api.before = refuse
        world.election.won.set()
        wait(lambda: "the workers cannot be listed" in caplog.text, "it tells")
        assert not world.is_placed("job")
        world.api.before = lambda _method, _path: None
        wait(lambda: world.is_placed("job"), "the pod is placed")


def test_it_ends_while_it_waits_for_the_lead(world):
    with world.running():
        wait(lambda: "start" in world.log, "it campaigns")

    assert world.queue.is_closed is False
    assert world.log == ["start", "stop"]
