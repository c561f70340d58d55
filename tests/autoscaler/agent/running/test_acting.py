import pytest

from autoscaler.agent.accounting.finding import Finding, FindingKind
from autoscaler.agent.backstops.freezer import Freezer
from autoscaler.agent.backstops.policy import Backstop
from autoscaler.agent.mapping.pod_processes import PodProcess
from autoscaler.agent.running.acting import Acting
from tests.autoscaler.agent.mapping.proc_double import ProcDouble
from tests.autoscaler.agent.running.roster_double import uid_of

UID, PID = uid_of(0), 4321
POD = f"kubepods-pod{UID.replace('-', '_')}.slice"
WORKERS = frozenset({UID})
FINDING = Finding(
    kind=FindingKind.UNACCOUNTED, uid=UID, uuid="GPU-1", text="past the limiter", pids=(PID,)
)
PODS = {PID: PodProcess(pid=PID, start_time=1, pod_uid=UID, container_id="", namespace_pid=7)}


class Around:
    """Surroundings that note what they are told."""

    def __init__(self):
        self.told, self.evicted = [], []
        self.tell_finding = self.told.append
        self.evict = self.evicted.append


class Node:
    def __init__(self, folder):
        self.proc = ProcDouble(folder / "proc")
        self.proc.add(PID, f"0::/kubepods.slice/{POD}/cri-containerd-x.scope")
        self.cgroups = folder / "cgroup"
        self.file = self.cgroups / "kubepods.slice" / POD / "cgroup.freeze"
        self.file.parent.mkdir(parents=True)
        self.file.write_text("0")
        self.around = Around()

    def acting(self, backstop):
        return Acting(backstop, self.around, Freezer(self.cgroups, self.proc.root))

    @property
    def is_frozen(self):
        return self.file.read_text().startswith("1")


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def test_by_default_a_finding_is_told_and_nothing_is_done(node):
    node.acting(Backstop.LOG).act([FINDING], PODS, WORKERS, 1.0)

    assert node.around.told == [FINDING]
    assert (node.around.evicted, node.is_frozen) == ([], False)


def test_a_pod_is_frozen_and_thawed_when_the_agent_ends(node):
    acting = node.acting(Backstop.FREEZE)
    acting.act([FINDING], PODS, WORKERS, 1.0)
    assert node.is_frozen

    acting.end()

    assert not node.is_frozen


def test_a_pod_that_an_agent_left_frozen_is_thawed_by_the_next_one(node):
    node.acting(Backstop.FREEZE).act([FINDING], PODS, WORKERS, 1.0)

    node.acting(Backstop.FREEZE).act([], PODS, WORKERS, 100.0)

    assert not node.is_frozen


def test_a_pod_that_this_agent_froze_stays_frozen_for_its_time(node):
    acting = node.acting(Backstop.FREEZE)
    acting.act([FINDING], PODS, WORKERS, 1.0)
    acting.act([], PODS, WORKERS, 2.0)

    assert node.is_frozen


def test_a_pod_is_evicted_where_the_policy_says_so(node):
    node.acting(Backstop.EVICT).act([FINDING], PODS, WORKERS, 1.0)

    assert node.around.evicted == [UID]


def test_nothing_is_done_to_who_is_not_served(node):
    node.acting(Backstop.EVICT).act([FINDING], PODS, frozenset(), 1.0)

    assert (node.around.told, node.around.evicted) == ([], [])


def test_what_cannot_be_thawed_is_told_and_ends_nothing(node, caplog):
    acting = node.acting(Backstop.FREEZE)
    acting.act([FINDING], PODS, WORKERS, 1.0)
    node.file.unlink()

    acting.end()

    assert "cgroup.freeze" in caplog.text
