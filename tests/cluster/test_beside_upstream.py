"""An upstream operator applies our decisions: it asks, and nothing is written by us."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack, closing, contextmanager

import pytest
from aiohttp import web

from autoscaler.api.names import COMPONENT, CONTROL_CONFIG_MAP, NAMESPACE, PREFIX, WORKLOAD_LABEL
from autoscaler.clock import SystemClock
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import GPUS, PODS, SECRETS, WORKLOADS
from autoscaler.listening import listening
from autoscaler.scaling.external.serving import PATH, add_external_scaler
from autoscaler.scaling.external.token_file import TokenFile
from autoscaler.scaling.fleet.stated import GpuModels
from autoscaler.scaling.live.upstream_caches import UpstreamCaches
from autoscaler.scaling.live.upstream_cluster import UpstreamCluster
from autoscaler.scaling.live.upstream_views import UpstreamViews
from autoscaler.scaling.loop import Loop, LoopSettings
from recommender.policy.model import Mode
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import ListSource
from tests.cluster.rest import Rest
from tests.cluster.upstream_definitions import install_upstream_definitions
from tests.cluster.upstream_operator import Operator
from tests.components.processes import LOOPBACK, free_port, until

TEAM = "team"
CHAT = f"{TEAM}/chat"
TOKEN = "a-token-of-the-test"
BEGIN = "2026-01-01T00:00:00Z"
A100 = "NVIDIA A100-SXM4-80GB"
STATED = {"requests": {"tflops": "40", "vram": "10Gi"}, "limits": {"tflops": "80", "vram": "16Gi"}}


class Beside:
    """The operator's cluster with one worker, an autoscaler beside it, and a scripted use."""

    def __init__(self, plane, folder, stack, *, has_kinds=True):
        self.rest = stack.enter_context(closing(Rest(plane)))
        for name in (TEAM, NAMESPACE):
            self.rest.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        self.port = free_port()
        (folder / "token").write_text(TOKEN)
        if has_kinds:
            install_upstream_definitions(plane)
            self._make_kinds()
        self._make_worker()
        self.api = ApiServer.from_environment(
            kubeconfig=plane.admin_kubeconfig, user_agent="tfa/test"
        )
        stack.callback(self.api.close)
        self.operator = Operator(self.api)
        self.caches = UpstreamCaches(self.api, namespace=NAMESPACE)
        self.caches.start()
        stack.callback(self.caches.stop)
        until(lambda: self.caches.has_synced, what="the caches are filled")
        self.source = ListSource("tflops")
        self.cluster = UpstreamCluster(UpstreamViews(self.caches, gpu_models=GpuModels()))
        settings = LoopSettings(mode=Mode.APPLY)
        self.loop = Loop(
            self.cluster, self.source, SystemClock(), UsageModel((TFLOPS, VRAM)), settings
        )
        application = web.Application()
        add_external_scaler(application, self.cluster.answer, TokenFile(folder / "token"))
        stack.enter_context(served(application, self.port))

    def _make_kinds(self):
        workload = {
            "metadata": {"name": "chat", "namespace": TEAM},
            "spec": {
                "replicas": 1,
                "resources": STATED,
                "autoScalingConfig": {
                    "autoSetResources": {"enable": True, "targetResource": "all"},
                    "autoSetLimits": {"enable": True},
                    "externalScaler": {
                        "enable": True,
                        "url": f"http://{LOOPBACK}:{self.port}{PATH}",
                        "apiKeySecretRef": {"name": "autoscaler", "namespace": NAMESPACE},
                    },
                },
            },
        }
        kind = {"apiVersion": WORKLOADS.api_version, "kind": WORKLOADS.kind}
        self.rest.request("POST", WORKLOADS.path(namespace=TEAM), {**kind, **workload})
        gpu = {"apiVersion": GPUS.api_version, "kind": GPUS.kind, "metadata": {"name": "gpu-1"}}
        self.rest.request("POST", GPUS.path(), gpu)
        status = {
            "phase": "Running",
            "gpuModel": A100,
            "capacity": {"tflops": "312", "vram": "80Gi"},
            "available": {"tflops": "272", "vram": "70Gi"},
        }
        merge = "application/merge-patch+json"
        path = f"{GPUS.path(name='gpu-1')}/status"
        self.rest.request("PATCH", path, {"status": status}, content_type=merge)
        secret = {"metadata": {"name": "autoscaler"}, "stringData": {"apiKey": TOKEN}}
        self.rest.request("POST", SECRETS.path(namespace=NAMESPACE), secret)

    def _make_worker(self):
        annotations = {
            "gpu-ids": "gpu-1",
            "auto-limits": "true",
            "tflops-request": "40",
            "tflops-limit": "80",
            "vram-request": "10Gi",
            "vram-limit": "16Gi",
        }
        pod = {
            "metadata": {
                "name": "chat-0",
                "labels": {COMPONENT: "worker", WORKLOAD_LABEL: "chat"},
                "annotations": {PREFIX + key: text for key, text in annotations.items()},
            },
            "spec": {"containers": [{"name": "main", "image": "none.invalid/none"}]},
        }
        self.rest.request("POST", PODS.path(namespace=TEAM), pod)
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": BEGIN}
        status = {"phase": "Running", "startTime": BEGIN, "conditions": [ready]}
        path = f"{PODS.path(namespace=TEAM, name='chat-0')}/status"
        merge = "application/merge-patch+json"
        self.rest.request("PATCH", path, {"status": status}, content_type=merge)

    def used(self, tflops, minutes=5):
        """Let the worker have used so much in the last minutes."""
        now_s = int(time.time())
        for ts in range(now_s - 60 * minutes, now_s, 15):
            self.source.put("tflops", ts, tflops)

    def tick(self):
        tick = self.loop.tick()
        self.cluster.show(tick)
        return tick

    def in_force(self, key):
        pod = self.rest.get(PODS.path(namespace=TEAM, name="chat-0"))
        return pod["metadata"]["annotations"][PREFIX + key]

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

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(20)
    yield
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
    assert beside.in_force("tflops-limit") == "120"
    assert beside.in_force("tflops-request") == "40"
    assert beside.in_force("vram-limit") == "16Gi"
    beside.until_seen(120.0)
    [view] = beside.cluster.snapshot()
    assert dict(view.stated_limit) == {"tflops": 80.0, "vram_bytes": 16 * 2**30}
    assert view.gpu_model == A100
    beside.tick()
    assert beside.operator.round()[CHAT] == "no scaling: NoScalingNeeded"
    workload = beside.rest.get(WORKLOADS.path(namespace=TEAM, name="chat"))
    # A definition of theirs holds no settings of ours, and nothing of ours was written.
    assert "autoSetLimits" not in workload["spec"]["autoScalingConfig"]
    managers = {each["manager"] for each in workload["metadata"]["managedFields"]}
    assert not any("autoscaler" in manager for manager in managers)


def test_an_operator_without_the_token_is_refused_and_changes_nothing(beside):
    beside.used(80.0)
    beside.tick()
    merge = "application/merge-patch+json"
    path = SECRETS.path(namespace=NAMESPACE, name="autoscaler")
    wrong = {"stringData": {"apiKey": "another-token-of-somebody"}}
    beside.rest.request("PATCH", path, wrong, content_type=merge)
    assert beside.operator.round()[CHAT].startswith("HTTP 401: ")
    assert beside.in_force("tflops-limit") == "80"


def test_a_pause_ends_what_the_operator_is_told(beside):
    beside.used(80.0)
    beside.tick()
    pause = {"metadata": {"name": CONTROL_CONFIG_MAP}, "data": {"mode": "apply", "paused": "true"}}
    beside.rest.request("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps", pause)
    until(lambda: beside.cluster.snapshot()[0].is_paused, what="the pause is seen")
    beside.tick()
    assert beside.operator.round()[CHAT] == "no scaling: NoScalingNeeded"


def test_without_the_operators_kinds_its_workers_are_enough_to_decide(own_control_plane, tmp_path):
    with ExitStack() as stack:
        beside = Beside(own_control_plane, tmp_path, stack, has_kinds=False)
        assert beside.caches.problems() == ()
        beside.used(80.0)
        tick = beside.tick()
        [(plan, outcome)] = tick.applied.outcomes
        assert outcome.applied
        assert plan.change.limit["tflops"] == 120.0
