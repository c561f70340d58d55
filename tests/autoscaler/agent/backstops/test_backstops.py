import subprocess
from pathlib import Path

import pytest

from autoscaler.agent.accounting.finding import Finding, FindingKind
from autoscaler.agent.backstops.backstops import Backstops
from autoscaler.agent.backstops.freezer import Freezer
from autoscaler.agent.backstops.policy import FROZEN_S, Backstop, BackstopPolicy
from autoscaler.agent.mapping.pod_processes import PodProcess
from autoscaler.errors import AutoscalerError


class Node:
    """Backstops over files of a node; what is told and evicted is kept."""

    def __init__(self, root, backstop):
        self.told, self.evicted = [], []
        self.root = root
        self.backstops = Backstops(
            BackstopPolicy(backstop),
            Freezer(root / "cgroup", root / "proc"),
            tell=self.told.append,
            evict=self.evicted.append,
        )

    def place(self, pid, uid):
        folder = self.root / "cgroup" / f"pod{uid}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.freeze").write_text("0")
        (self.root / "proc" / str(pid)).mkdir(parents=True)
        (self.root / "proc" / str(pid) / "cgroup").write_text(f"0::/pod{uid}/x\n")
        return folder / "cgroup.freeze"


def _process(pid, uid, start_time=0):
    return PodProcess(
        pid=pid,
        start_time=start_time,
        pod_uid=uid,
        container_id="",
        namespace_pid=1,
    )


def _finding(uid="a", pids=()):
    return Finding(
        kind=FindingKind.UNACCOUNTED, uid=uid, uuid="GPU-a", text="it bypasses", pids=pids
    )


def _follow(node, *findings, processes=(), workers=("a",), now_s=0.0):
    pods = {process.pid: process for process in processes}
    node.backstops.follow(findings, pods, workers, now_s)


def test_a_finding_is_told(tmp_path, caplog):
    node = Node(tmp_path, Backstop.LOG)

    _follow(node, _finding())

    assert node.told == [_finding()]
    assert "it bypasses" in caplog.text


def test_a_pod_is_frozen_for_a_while(tmp_path):
    node = Node(tmp_path, Backstop.FREEZE)
    file = node.place(11, "a")

    _follow(node, _finding(), processes=[_process(11, "a")])
    frozen = file.read_text()
    _follow(node, now_s=FROZEN_S)

    assert [frozen, file.read_text()] == ["1", "0"]


def test_a_pod_is_evicted(tmp_path):
    node = Node(tmp_path, Backstop.EVICT)

    _follow(node, _finding())

    assert node.evicted == ["a"]


@pytest.fixture
def pair():
    processes = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def _of(process, uid="a"):
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    return _process(process.pid, uid, int(stat.rpartition(")")[2].split()[19]))


def test_only_the_processes_of_a_finding_end(tmp_path, pair):
    guilty, other = pair

    _follow(
        Node(tmp_path, Backstop.KILL),
        _finding(pids=(guilty.pid,)),
        processes=[_of(guilty), _of(other)],
    )

    assert guilty.wait(10) < 0
    assert other.poll() is None


def test_a_process_of_another_pod_does_not_end(tmp_path, pair):
    guilty, other = pair
    pids = (guilty.pid, other.pid)

    _follow(
        Node(tmp_path, Backstop.KILL),
        _finding(pids=pids),
        processes=[_of(guilty), _of(other, "b")],
    )

    assert guilty.wait(10) < 0
    assert other.poll() is None


def test_who_is_not_served_here_is_not_touched(tmp_path):
    node = Node(tmp_path, Backstop.EVICT)

    _follow(node, _finding("stranger"))

    assert (node.told, node.evicted) == ([], [])


def test_what_fails_is_told_and_keeps_nothing_else_from_being_done(tmp_path, caplog):
    node = Node(tmp_path, Backstop.FREEZE)
    file = node.place(12, "b")

    _follow(node, _finding(), _finding("b"), processes=[_process(12, "b")], workers=("a", "b"))

    assert file.read_text() == "1"
    assert "freeze of worker a failed: pod a: has no cgroup" in caplog.text


def test_an_eviction_that_is_refused_is_told(tmp_path, caplog):
    def refuse(uid):
        raise AutoscalerError(f"pod {uid}: a disruption budget forbids it")

    backstops = Backstops(
        BackstopPolicy(Backstop.EVICT), Freezer(tmp_path, tmp_path), tell=str, evict=refuse
    )

    backstops.follow([_finding()], {}, ["a"], 0.0)

    assert "evict of worker a failed: pod a: a disruption budget forbids it" in caplog.text
