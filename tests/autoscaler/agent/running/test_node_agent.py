import threading
import time
from contextlib import contextmanager

import pytest

from autoscaler.agent.accounting.finding import FindingKind
from autoscaler.agent.devices.node_devices import NodeDevices
from autoscaler.agent.devices.nvml import RunningProcess
from autoscaler.agent.mapping.process_map import ProcessMap
from autoscaler.agent.running.inventory import InventoryLoop
from autoscaler.agent.running.limits import LimitRules
from autoscaler.agent.running.node_agent import AgentParts, NodeAgent
from autoscaler.agent.running.turn_counts import Loop, TurnCounts
from autoscaler.errors import UsageError
from recommender.gpu_models import GpuModel
from tests.autoscaler.agent.devices.nvml_double import GIB, Card, NvmlDouble
from tests.autoscaler.agent.mapping.proc_double import ProcDouble
from tests.autoscaler.agent.pages.pages import claim, use_page
from tests.autoscaler.agent.running.moments import UUID
from tests.autoscaler.agent.running.roster_double import Pods, RosterDouble, changed
from tests.components.processes import until

H100_TFLOPS = 989.4
CGROUP = "0::/kubepods.slice/kubepods-pod{}.slice/cri-containerd-" + "b" * 64 + ".scope"


class Node:
    """A node with one GPU and one worker, whose agent runs on threads of its own."""

    def __init__(self, folder):
        self.card = Card(UUID)
        self.nvml = NvmlDouble(self.card)
        self.proc = ProcDouble(folder / "proc")
        self.pods = Pods(folder / "pods")
        self.chat = self.pods.served(tflops_limit=H100_TFLOPS / 2)
        self.roster = RosterDouble(self.chat)
        self.counts = TurnCounts()
        self.told = []
        self.tell = self.told.append
        self.found = []

    def agent(self):
        devices = NodeDevices(
            self.nvml, overrides=(GpuModel(self.card.name, H100_TFLOPS, 80 * GIB),)
        )
        parts = AgentParts(
            source=self.roster,
            devices=devices,
            processes=ProcessMap(self.proc.root),
            inventory=InventoryLoop(devices, self.tell_gpus, self.counts, period_s=0.05),
            act=lambda findings, *_rest: self.found.extend(findings),
        )
        return NodeAgent("node-1", parts, LimitRules(), counts=self.counts)

    def tell_gpus(self, inventory):
        self.tell(inventory)

    def add_process(self, pid, *, namespace_pid, holds_slot):
        uid = self.chat.worker.uid
        self.proc.add(
            pid,
            CGROUP.format(uid.replace("-", "_")),
            start_time=100,
            namespace_pids=(pid, namespace_pid),
        )
        self.card.processes = [*self.card.processes, RunningProcess(pid=pid, memory_bytes=3 * GIB)]
        if holds_slot:
            page = self.pods.uses.setdefault(uid, use_page())
            claim(page, 0, pid=namespace_pid, memory_bytes=[2 * GIB])
            self.pods.write(self.chat)


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


@contextmanager
def running(agent):
    stop = threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    try:
        until(lambda: agent.snapshot().sampled_s, what="the GPUs were looked at")
        yield agent
    finally:
        stop.set()
        thread.join()


def test_an_agent_serves_its_workers_and_is_ready(node):
    agent = node.agent()
    assert agent.problems() == ("workers and GPUs were not looked at yet",)

    with running(agent):
        until(lambda: not agent.problems(), what="the agent is ready")
        assert node.pods.share(node.chat) == pytest.approx(0.5, abs=1e-6)
        shown = agent.snapshot()

    assert (shown.node, shown.workers, len(shown.uses)) == ("node-1", 1, 1)
    [gpu] = shown.gpus
    assert (gpu.device.uuid, gpu.sample.problem, gpu.granted_share) == (UUID, "", 0.5)
    assert node.told[0].devices == (gpu.device,)
    assert agent.stuck() == ()


def test_a_new_limit_is_written_when_it_comes(node):
    with running(node.agent()) as agent:
        until((node.chat.folders.control / "ctl").exists, what="the page is made")
        raised = changed(node.chat, tflops_limit=H100_TFLOPS, seen_ns=time.monotonic_ns())
        node.roster.show(raised)

        until(lambda: node.pods.share(node.chat) == 1.0, what="the limit is in force")
        counts = agent.snapshot().counts

    assert sum(counts.apply_buckets) == 1
    assert counts.loop_failures == dict.fromkeys(map(str, Loop), 0)


def test_processes_of_a_worker_are_known_by_their_cgroup(node):
    node.add_process(4321, namespace_pid=7, holds_slot=True)

    with running(node.agent()) as agent:
        until(lambda: agent.snapshot().uses[0].memory_bytes == 3 * GIB, what="memory is seen")
        assert agent.snapshot().uses[0].unaccounted_bytes == GIB


def test_a_process_past_the_limiter_is_found(node):
    node.add_process(4321, namespace_pid=7, holds_slot=True)
    node.add_process(5555, namespace_pid=8, holds_slot=False)

    with running(node.agent()):
        until(
            lambda: any(
                (each.kind, each.pids) == (FindingKind.UNACCOUNTED, (5555,)) for each in node.found
            ),
            what="the process is found",
        )


def test_a_driver_that_hangs_does_not_hold_limits_up(node):
    hangs, goes_on = threading.Event(), threading.Event()
    busy_percent = node.nvml.busy_percent

    def hang(gpu):
        hangs.set()
        goes_on.wait()
        return busy_percent(gpu)

    try:
        with running(node.agent()) as agent:
            node.nvml.busy_percent = hang
            until(hangs.is_set, what="the driver hangs")
            node.roster.show(changed(node.chat, tflops_limit=H100_TFLOPS, seen_ns=1))

            until(lambda: node.pods.share(node.chat) == 1.0, what="the limit is in force")
            assert agent.snapshot().workers == 1
            goes_on.set()
    finally:
        goes_on.set()


def test_a_driver_that_is_gone_is_told_and_workers_keep_their_limits(node):
    with running(node.agent()) as agent:
        until(lambda: not agent.problems(), what="the agent is ready")
        node.nvml.lose_driver()

        until(lambda: "Driver Not Loaded" in "".join(agent.problems()), what="it is told")
        until(lambda: agent.snapshot().gpus[0].sample.problem, what="the GPU is down")
        assert (agent.snapshot().workers, node.pods.share(node.chat)) == (1, 0.5)

        node.nvml.no_driver = None
        until(lambda: not agent.problems(), what="the driver is back")


def test_gpus_that_cannot_be_told_of_keep_the_agent_from_being_ready(node):
    def refuse(_inventory):
        raise UsageError("the API server refuses")

    node.tell = refuse
    with running(node.agent()) as agent:
        until(lambda: agent.problems() == ("the API server refuses",), what="it is told")
        node.tell = node.told.append

        until(lambda: not agent.problems(), what="the agent is ready")


def test_a_defect_in_a_turn_is_counted_and_the_next_turn_comes(node, caplog):
    with running(node.agent()) as agent:
        roster = node.roster.roster

        def fail(_cards):
            raise RuntimeError("a defect")

        node.roster.roster = fail
        until(lambda: agent.snapshot().counts.loop_failures[Loop.CONTROL] > 0, what="it is counted")
        node.roster.roster = roster
        node.roster.show(changed(node.chat, tflops_limit=H100_TFLOPS, seen_ns=1))

        until(lambda: node.pods.share(node.chat) == 1.0, what="the limit is in force")
    assert "a turn failed" in caplog.text


def test_a_defect_while_looking_is_counted_and_the_next_look_comes(node):
    with running(node.agent()) as agent:
        temperature = node.nvml.temperature_celsius
        node.nvml.temperature_celsius = lambda _gpu: 1 // 0
        until(
            lambda: agent.snapshot().counts.loop_failures[Loop.SAMPLING] > 0, what="it is counted"
        )
        node.nvml.temperature_celsius = temperature
        node.card.temperature_celsius = 77

        until(
            lambda: agent.snapshot().gpus[0].sample.temperature_celsius == 77, what="a look comes"
        )


def test_an_agent_that_ends_leaves_the_pages_to_the_next_one(node):
    with running(node.agent()):
        until((node.chat.folders.control / "ctl").exists, what="the page is made")
    generation = node.pods.ctl(node.chat).generation

    with running(node.agent()) as again:
        until(lambda: not again.problems(), what="the agent is ready")

    assert (node.pods.ctl(node.chat).generation, node.pods.share(node.chat)) == (generation, 0.5)
