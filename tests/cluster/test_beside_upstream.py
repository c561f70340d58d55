"""An upstream operator applies our decisions: it asks, and nothing is written by us."""

import asyncio
import threading
import time
from contextlib import ExitStack, closing, contextmanager

import pytest
from aiohttp import web

from autoscaler.api.names import NAMESPACE
from autoscaler.clock import SystemClock
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import SECRETS, WORKLOADS
from autoscaler.listening import listening
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.external.serving import PATH, add_external_scaler
from autoscaler.scaling.external.token_file import TokenFile
from autoscaler.scaling.live.upstream.caches import UpstreamCaches
from autoscaler.scaling.live.upstream.cluster import UpstreamCluster
from autoscaler.scaling.live.upstream.views import UpstreamViews
from autoscaler.scaling.loop import Loop, LoopSettings
from recommender.policy.model import Mode
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import ListSource
from tests.cluster.rest import MERGE_PATCH, Rest
from tests.cluster.upstream_objects import (
    A100,
    CHAT,
    NAME,
    TEAM,
    TOKEN,
    in_force,
    make_namespaces,
    make_worker,
    make_workload,
    switch,
)
from tests.cluster.upstream_operator import Operator
from tests.components.processes import LOOPBACK, free_port, until


class Beside:
    """The operator's cluster with one worker, an autoscaler beside it, and a scripted use."""

    def __init__(self, plane, folder, stack, *, has_kinds=True):
        self.rest = stack.enter_context(closing(Rest(plane)))
        port = free_port()
        (folder / "token").write_text(TOKEN)
        make_namespaces(self.rest)
        if has_kinds:
            make_workload(plane, self.rest, url=f"http://{LOOPBACK}:{port}{PATH}")
        make_worker(self.rest, **{"auto-limits": "true"})
        api = ApiServer.from_environment(kubeconfig=plane.admin_kubeconfig, user_agent="tfa/test")
        stack.callback(api.close)
        self.operator = Operator(api)
        self.caches = UpstreamCaches(api, namespace=NAMESPACE)
        self.caches.start()
        stack.callback(self.caches.stop)
        until(lambda: self.caches.has_synced, what="the caches are filled")
        self.source = ListSource("tflops")
        self.cluster = UpstreamCluster(UpstreamViews(self.caches, gpu_models=GpuModels()))
        settings = LoopSettings(mode=Mode.APPLY)
        model = UsageModel((TFLOPS, VRAM))
        self.loop = Loop(self.cluster, self.source, SystemClock(), model, settings)
        application = web.Application()
        add_external_scaler(application, self.cluster.answer, TokenFile(folder / "token"))
        stack.enter_context(served(application, port))

    def used(self, tflops, minutes=5):
        """Let the worker have used so much in the last minutes."""
        now_s = int(time.time())
        for ts in range(now_s - 60 * minutes, now_s, 15):
            self.source.put("tflops", ts, tflops)

    def tick(self):
        tick = self.loop.tick()
        self.cluster.show(tick)
        return tick

    def until_seen(self, tflops_limit):
        def is_seen():
            [view] = self.cluster.snapshot()
            return view.limit["tflops"] == tflops_limit

        until(is_seen, what=f"the autoscaler sees a limit of {tflops_limit:g} TFLOPS")


@contextmanager
def served(application, port):
    """Serve an application by a thread while the context lasts."""
    started, box = threading.Event(), []

    async def serve():
        stopping = asyncio.Event()
        box.extend((asyncio.get_running_loop(), stopping))
        async with listening(application, LOOPBACK, port, None):
            started.set()
            await stopping.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(20)
        yield
    finally:
        loop, stopping = box
        loop.call_soon_threadsafe(stopping.set)
        thread.join()


@pytest.fixture
def beside(own_control_plane, tmp_path):
    with ExitStack() as stack:
        yield Beside(own_control_plane, tmp_path, stack)


def test_an_operator_that_asks_us_applies_our_decisions_and_we_see_what_came_of_them(beside):
    assert beside.operator.round()[CHAT] == "no scaling: NotDeciding"
    beside.used(80.0)
    tick = beside.tick()
    assert [outcome.applied for _, outcome in tick.applied.outcomes] == [True]
    assert beside.operator.round()[CHAT] == "scaled: MoreNeeded"
    found = {key: in_force(beside.rest, key) for key in ("tflops-limit", "tflops-request")}
    assert found == {"tflops-limit": "120", "tflops-request": "40"}
    assert in_force(beside.rest, "vram-limit") == "16Gi"
    beside.until_seen(120.0)
    [view] = beside.cluster.snapshot()
    assert dict(view.stated_limit) == {"tflops": 80.0, "vram_bytes": 16 * 2**30}
    assert view.gpu_model == A100
    beside.tick()
    assert beside.operator.round()[CHAT] == "no scaling: NoScalingNeeded"
    workload = beside.rest.get(WORKLOADS.path(namespace=TEAM, name=NAME))
    # A definition of theirs holds no settings of ours, and nothing of ours was written.
    assert "autoSetLimits" not in workload["spec"]["autoScalingConfig"]
    managers = {each["manager"] for each in workload["metadata"]["managedFields"]}
    assert not any("autoscaler" in manager for manager in managers)


def test_an_operator_without_the_token_is_refused_and_changes_nothing(beside):
    beside.used(80.0)
    beside.tick()
    path = SECRETS.path(namespace=NAMESPACE, name="autoscaler")
    wrong = {"stringData": {"apiKey": "another-token-of-somebody"}}
    beside.rest.request("PATCH", path, wrong, content_type=MERGE_PATCH)
    assert beside.operator.round()[CHAT].startswith("HTTP 401: ")
    assert in_force(beside.rest, "tflops-limit") == "80"


def test_a_pause_ends_what_the_operator_is_told(beside):
    beside.used(80.0)
    beside.tick()
    switch(beside.rest, "PUT", mode="apply", paused="true")
    until(lambda: beside.cluster.snapshot()[0].is_paused, what="the pause is seen")
    beside.tick()
    assert beside.operator.round()[CHAT] == "no scaling: NoScalingNeeded"


def test_without_the_operators_kinds_its_workers_are_enough_to_decide(own_control_plane, tmp_path):
    with ExitStack() as stack:
        beside = Beside(own_control_plane, tmp_path, stack, has_kinds=False)
        assert beside.caches.problems() == ()
        beside.used(80.0)
        [(plan, outcome)] = beside.tick().applied.outcomes
        assert outcome.applied
        assert plan.change.limit["tflops"] == 120.0
