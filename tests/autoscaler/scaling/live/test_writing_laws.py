"""Whenever a process ends in the middle of its writes, the next one comes to the same."""

import logging

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.api.desired import read_desired
from autoscaler.api.names import PREFIX
from autoscaler.api.notes import NotedProblems
from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.resource import GPUS, PODS, WORKLOADS
from autoscaler.scaling.cluster import Guard
from tests.autoscaler.scaling.live.deciding import tick
from tests.autoscaler.scaling.live.live_objects import A100, ENROLLED, GIB, L4, gpu, worker
from tests.autoscaler.scaling.live.writing_world import WritingWorld, change
from tests.autoscaler.workloads.objects import TEAM
from tests.components.processes import until

MOST_TICKS = 12


class Crashing:
    """Lets a process end at one of its requests, before or after it was carried out."""

    def __init__(self, world, at_request, *, is_done):
        self._world, self._left, self._is_done = world, at_request, is_done
        self.is_dead = False
        world.api.before, world.api.after = self._before, self._after

    def _before(self, method, path):
        if self.is_dead:
            raise ApiUnavailableError("the process has ended")
        if self._left == 0 and not self._is_done:
            self.is_dead = True
            raise ApiUnavailableError("the process ends here")

    def _after(self, method, path):
        if self._left == 0:
            self.is_dead = True
            raise ApiUnavailableError("the process ends here")
        self._left -= 1

    def revive(self):
        """Let the API server answer whoever comes next."""
        self._world.api.before = self._world.api.after = lambda method, path: None


class Deciding:
    """Ticks a process towards the same goal, as a loop would, and follows as the controller."""

    def __init__(self, goal):
        self.goal = goal
        self.world = WritingWorld(config=goal["config"])
        self.world.add(workers=2)
        if goal["is_on_two_models"]:
            self.world.api.add(GPUS, gpu("GPU-2", gpu_model=L4, model="L4", tflops="121"))
            self.world.api.add(PODS, worker("chat-on-l4", gpus=("GPU-2",)))
        self.process = self.world.process(epoch=1)

    def replace_process(self, epoch):
        self.process.end()
        self.process = self.world.process(epoch=epoch)

    def tick(self):
        """Decide, write, show, and let the controller follow; return what was written."""
        self.process.see()
        views = self.process.cluster.snapshot()
        self.process.cluster.apply(list(self._changes(views)))
        targets = {"request": (12.0, 5 * GIB), "limit": (24.0, 9 * GIB)}
        self.process.see()
        now = tick(views, now_s=self.world.clock.now_s(), **targets)
        self.process.showing(now)
        until(self._is_idle, what="all is written")
        self._follow()
        self.world.advance(15)
        return self.world.writes()

    def settle(self):
        for _ in range(MOST_TICKS):
            if not self.tick():
                return
        raise AssertionError("it never comes to rest")

    def state(self):
        """Return what stands in the end, without who wrote it and when."""
        status = self.world.status()
        return {
            "desired": self.world.desired(),
            "guard": status.get("guard"),
            "recommendation": status.get("recommendation"),
            "conditions": self.world.conditions(),
            "replicas": self.world.replicas(),
        }

    def _changes(self, views):
        for view in views:
            wanted = {"request": {}, "limit": {}}
            for side, now in (("request", view.request), ("limit", view.limit)):
                for name, value in self.goal[side].items():
                    if now.get(name) != value:
                        wanted[side][name] = value
            if any(wanted.values()):
                guard = Guard(changes=1, previous_request=view.request)
                yield change(gpu_model=view.gpu_model, guard=guard, is_urgent=True, **wanted)
        if views[0].replicas != self.goal["replicas"]:
            yield change(replicas=self.goal["replicas"])

    def _follow(self):
        """Do as the controller: carry to the workers what is stated."""
        self.world.follow()
        workload = self.world.workload()
        for pod in self.world.api.all(PODS):
            model = L4 if "l4" in pod["metadata"]["name"] else A100
            stated = read_desired(workload, model, NotedProblems(), at_start=False)
            if stated is None:
                continue
            texts = {f"{PREFIX}{key}": each.quantity for key, each in stated.amounts.items()}
            self.world.api.edit(
                PODS,
                TEAM,
                pod["metadata"]["name"],
                lambda obj, texts=texts: obj["metadata"]["annotations"].update(texts),
            )

    def _is_idle(self):
        queue = self.process.stating.snapshot().queue
        return not any(queue.backlog.values()) and queue.in_hand == 0


GOALS = st.fixed_dictionaries(
    {
        "request": st.fixed_dictionaries(
            {}, optional={"tflops": st.sampled_from([8.0, 12.0, 16.5]), "vram_bytes": st.just(GIB)}
        ),
        "limit": st.fixed_dictionaries(
            {}, optional={"tflops": st.sampled_from([18.0, 40.0]), "vram_bytes": st.just(9 * GIB)}
        ),
        "replicas": st.integers(1, 4),
        "config": st.sampled_from([ENROLLED, {"autoSetReplicas": {"enable": True}}, {}]),
        "is_on_two_models": st.booleans(),
    }
).map(
    lambda goal: (
        goal
        if goal["config"] == ENROLLED
        else {
            **goal,
            "request": {},
            "limit": {},
            "replicas": goal["replicas"] if goal["config"] else 2,
        }
    )
)


@settings(max_examples=40)
@given(goal=GOALS, at_request=st.integers(0, 4), is_done=st.booleans())
def test_a_process_that_ends_between_two_writes_leaves_no_trace(goal, at_request, is_done):
    logging.getLogger("autoscaler").setLevel(logging.CRITICAL)
    straight, interrupted = Deciding(goal), Deciding(goal)
    try:
        straight.settle()
        crash = Crashing(interrupted.world, at_request, is_done=is_done)
        for _ in range(2):
            if not crash.is_dead:
                interrupted.tick()
        crash.is_dead = True
        interrupted.process.end()
        crash.revive()
        interrupted.process = interrupted.world.process(epoch=2)
        interrupted.settle()
        after_crash = interrupted.state()
        interrupted.replace_process(epoch=3)
        writes_of_a_third = interrupted.tick()
    finally:
        logging.getLogger("autoscaler").setLevel(logging.NOTSET)
        straight.world.close()
        interrupted.world.close()

    assert after_crash == straight.state()
    assert writes_of_a_third == []


def test_the_workload_of_the_law_is_written_at_all():
    here = Deciding(
        {
            "request": {"tflops": 12.0},
            "limit": {},
            "replicas": 4,
            "config": ENROLLED,
            "is_on_two_models": False,
        }
    )
    try:
        here.settle()
        assert here.state()["replicas"] == 4
        assert here.state()["desired"] == {"requests": {"tflops": "12"}}
        assert here.world.api.find(WORKLOADS, TEAM, "chat")["status"]["guard"]["replicas"] == {
            "stated": 2,
            "scaled": 4,
        }
    finally:
        here.world.close()
