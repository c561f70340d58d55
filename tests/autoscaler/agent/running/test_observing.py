import pytest

from autoscaler.agent.accounting.finding import SUSTAINED_S, FindingKind
from autoscaler.agent.devices.samples import ProcessSample
from autoscaler.agent.mapping.pod_processes import PodProcess
from autoscaler.agent.pages.abi import GPU_NO_TRIM, ONE_Q16
from autoscaler.agent.running.enforcing import Enforcement
from autoscaler.agent.running.limits import LimitRules
from autoscaler.agent.running.observing import NodeLook, Observation
from autoscaler.agent.running.turn_counts import TurnCounts
from autoscaler.agent.sharing.trim import MOST_K
from tests.autoscaler.agent.pages.pages import claim, use_page
from tests.autoscaler.agent.running.moments import GIB, UUID, device, sample
from tests.autoscaler.agent.running.roster_double import NS, ONE_Q32, Pods

PERIOD_S = 0.2
HOST_PID, OWN_PID = 4321, 7


class Node:
    """A node with one worker and what the driver says of it, in time that a test lets pass."""

    def __init__(self, folder, **device_changes):
        self.pods = Pods(folder)
        self.chat = self.pods.served()
        self.devices = {UUID: device(**device_changes)}
        self.enforcement = Enforcement(LimitRules(), TurnCounts())
        self.observation = Observation()
        self.now_s = 50.0
        self.charged_ns = 0
        self.pods.uses[self.chat.worker.uid] = use_page()
        self.claim(slot=0, pid=OWN_PID)

    def claim(self, slot, pid, generation=1):
        page = self.pods.uses[self.chat.worker.uid]
        claim(page, slot, pid=pid, memory_bytes=[GIB], start_time=100)
        page.process[slot].generation = page.process[slot].ready_generation = generation
        self.pods.write(self.chat)

    def process(self, pid=HOST_PID, namespace_pid=OWN_PID):
        return PodProcess(
            pid=pid,
            start_time=100,
            pod_uid=self.chat.worker.uid,
            container_id="",
            namespace_pid=namespace_pid,
        )

    def step(self, *, used=0.25, busy=0.25, pods=None, strangers=(), alive=None, **changes):
        """Let 0.2 s pass in which the worker used a share, and look at the node.

        The arrival time moves as the limiter moves it.
        """
        self.now_s += PERIOD_S
        self.charged_ns += int(used * PERIOD_S * NS)
        now_ns = int(self.now_s * NS)
        self.pods.use(self.chat, charged_ns=self.charged_ns, tat_ns=now_ns)
        self.enforcement.turn((self.chat,), self.devices, now_ns=now_ns, now_s=self.now_s)
        [kept] = self.enforcement.workers
        pods = {HOST_PID: self.process()} if pods is None else pods
        processes = tuple(
            ProcessSample(pid=pid, uuid=UUID, sm_percent=busy * 100, memory_bytes=GIB)
            for pid in (*pods, *strangers)
        )
        shown = sample(busy_percent=busy * 100, processes=processes, **changes)
        look = NodeLook(
            readings={kept.worker.uid: kept.reading}, samples=(shown,), pods=pods, alive=alive
        )
        return self.observation.take(
            look, self.enforcement.workers, now_s=self.now_s, monotonic_s=self.now_s
        )

    @property
    def meter(self):
        [kept] = self.enforcement.workers
        return kept.meters[UUID]

    def shown(self):
        [kept] = self.enforcement.workers
        share = self.enforcement.share_of(kept, UUID)
        return self.meter.account.shown(kept.worker, share, self.meter.trim_k, self.now_s)


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path / "pods")


def steps(node, seconds, **changes):
    """Let time pass in the same way; return the last findings."""
    found = ()
    for _ in range(round(seconds / PERIOD_S)):
        found = node.step(**changes)
    return found


def kinds(findings):
    return {each.kind for each in findings}


def test_what_a_worker_used_is_the_mean_of_its_charges(node):
    assert steps(node, 6.0, used=0.25, busy=0.25) == ()

    shown = node.shown()
    assert shown.compute_share == pytest.approx(0.25, abs=0.005)
    assert shown.device_s == pytest.approx(node.charged_ns / NS)
    assert (shown.memory_bytes, shown.unaccounted_share) == (GIB, 0.0)


def test_costs_that_are_learned_too_low_are_trimmed_while_a_worker_is_alone(node):
    steps(node, 10.0, used=0.2, busy=0.4)

    assert 1.3 < node.meter.trim.k <= MOST_K
    assert node.shown().trim_ratio == node.meter.trim.k


def test_nothing_is_trimmed_beside_a_stranger(node):
    steps(node, 10.0, used=0.2, busy=0.9, strangers=(777,))

    assert node.meter.trim.k == 1.0


def test_nothing_is_trimmed_on_an_instance_of_mig(tmp_path):
    node = Node(tmp_path / "pods", is_mig=True)

    assert steps(node, 6.0, used=0.2, busy=0.9) == ()
    assert node.meter.trim.k == 1.0


def test_what_was_learned_rests_while_a_card_is_under_mps(node):
    def in_force():
        record = node.pods.ctl(node.chat).gpu[0]
        return record.flags, record.trim_k_q16 / ONE_Q16

    steps(node, 10.0, used=0.2, busy=0.4)
    learned = node.meter.trim.k
    assert in_force() == (0, pytest.approx(learned, abs=1e-4))

    assert steps(node, 6.0, used=0.2, busy=0.95, is_under_mps=True) == ()
    assert in_force() == (GPU_NO_TRIM, 0.0)
    assert (node.shown().trim_ratio, node.shown().unaccounted_share) == (1.0, 0.0)
    assert node.shown().compute_share == pytest.approx(0.2, abs=0.005)

    node.step(used=0.2, busy=0.4)
    node.step(used=0.2, busy=0.4)
    assert in_force() == (0, pytest.approx(learned, abs=1e-4))


def test_what_others_leave_is_not_told_under_mps(node):
    steps(node, 1.0, is_under_mps=True)
    node.step(is_under_mps=True)

    assert node.pods.ctl(node.chat).gpu[0].left_q32 == 0


def test_a_gpu_that_cannot_be_read_stays_under_mps(node):
    steps(node, 1.0, is_under_mps=True)
    steps(node, 1.0, problem="GPU is lost")

    assert node.pods.ctl(node.chat).gpu[0].flags == GPU_NO_TRIM


def test_a_process_without_a_slot_is_found_under_mps_too(node):
    pods = {HOST_PID: node.process(), 5555: node.process(pid=5555, namespace_pid=8)}

    found = steps(node, SUSTAINED_S + PERIOD_S, pods=pods, is_under_mps=True)

    assert [(each.kind, each.pids) for each in found] == [(FindingKind.UNACCOUNTED, (5555,))]


def test_more_than_the_share_is_found_within_seconds(node):
    steps(node, 1.0, used=0.45, busy=0.45)

    found = steps(node, SUSTAINED_S + PERIOD_S, used=0.45, busy=0.95)

    assert FindingKind.OVER_SHARE in kinds(found)
    assert "team/chat-0" in found[0].text


def test_a_worker_whose_limiter_has_not_begun_is_told_of_with_its_share(node):
    node.pods.write = lambda _served: None
    (node.chat.folders.use / "use").unlink()

    found = steps(node, SUSTAINED_S + PERIOD_S, busy=0.95)

    assert {FindingKind.UNACCOUNTED, FindingKind.OVER_SHARE} <= kinds(found)
    [over] = [each for each in found if each.kind is FindingKind.OVER_SHARE]
    assert over.text.endswith("its share is 50%")


def test_a_process_without_a_slot_is_found_with_its_pid(node):
    outside = node.process(pid=5555, namespace_pid=8)
    pods = {HOST_PID: node.process(), 5555: outside}
    steps(node, 1.0)

    found = steps(node, SUSTAINED_S + PERIOD_S, pods=pods)

    assert [(each.kind, each.pids) for each in found] == [(FindingKind.UNACCOUNTED, (5555,))]


def test_a_counter_that_goes_down_is_found_at_once(node):
    steps(node, 1.0)

    node.charged_ns = 0
    found = node.step(used=0.0)

    assert FindingKind.TAMPERED in kinds(found)


def test_a_page_that_was_cut_is_found_at_once_and_once(node):
    steps(node, 1.0)
    use = node.chat.folders.use / "use"
    use.write_bytes(b"short")
    node.pods.write = lambda _served: None

    found = [kinds(node.step()) for _ in range(2)]

    assert FindingKind.TAMPERED in found[0]


def test_slots_of_processes_that_are_gone_are_declared_dead(node):
    node.claim(slot=3, pid=11, generation=5)
    node.step()

    node.step(alive=(node.process(),))
    node.step()

    page = node.pods.ctl(node.chat)
    assert (page.dead_slot[0], page.dead_slot[3]) == (0, 5)


def test_who_cannot_see_the_living_declares_nobody_dead(node):
    node.step()

    node.step(alive=())
    node.step()

    assert set(node.pods.ctl(node.chat).dead_slot) == {0}


def test_a_gpu_that_cannot_be_read_says_nothing_of_its_workers(node):
    steps(node, 1.0)

    found = steps(node, 5.0, used=0.3, busy=0.99, problem="GPU is lost")

    assert found == ()
    assert node.meter.trim.k == 1.0


def test_what_others_leave_is_told_while_the_limiter_sees_all_that_keeps_the_card_busy(node):
    def left_q32():
        return node.pods.ctl(node.chat).gpu[0].left_q32

    steps(node, 1.0)
    assert left_q32() == ONE_Q32
    steps(node, 1.0, strangers=(99,))
    assert left_q32() == 0
    steps(node, 1.0)
    assert left_q32() == ONE_Q32
    steps(node, 1.0, problem="the driver does not answer")
    assert left_q32() == 0


def test_the_processes_with_a_slot_that_had_work_are_counted(node):
    node.claim(slot=1, pid=OWN_PID + 1)
    second = node.process(HOST_PID + 1, OWN_PID + 1)
    pods = {HOST_PID: node.process(), HOST_PID + 1: second}

    steps(node, 0.4, pods=pods)
    assert node.meter.busy_processes == 2
    node.step(used=0.0, busy=0.0, pods=pods)
    assert node.meter.busy_processes == 0
