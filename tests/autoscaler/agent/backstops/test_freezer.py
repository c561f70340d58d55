import subprocess
import uuid
from pathlib import Path

import pytest

from autoscaler.agent.backstops.freezer import FreezeError, Freezer
from tests.components.lacking import lacks
from tests.components.processes import until

UID = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
SLICE = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + UID.replace("-", "_")
PID = 4711


class Node:
    """Cgroups and processes of a node, as plain files."""

    def __init__(self, root):
        self.cgroups, self.proc = root / "cgroup", root / "proc"
        self.freezer = Freezer(self.cgroups, self.proc)

    def place(self, path, pid=PID):
        (self.proc / str(pid)).mkdir(parents=True)
        (self.proc / str(pid) / "cgroup").write_text(f"0::{path}\n")

    def pod(self, path):
        folder = self.cgroups / path
        folder.mkdir(parents=True)
        (folder / "cgroup.freeze").write_text("0")
        return folder / "cgroup.freeze"


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


@pytest.mark.parametrize(
    ("pod", "container"),
    [
        (f"{SLICE}.slice", "cri-containerd-0a.scope"),
        (f"{SLICE}.slice", "crio-0a.scope/container"),
        (f"kubepods/besteffort/pod{UID}", "0a"),
    ],
    ids=["systemd", "CRI-O", "cgroupfs"],
)
def test_the_whole_pod_is_frozen_and_thawed_when_its_time_is_up(node, pod, container):
    file = node.pod(pod)
    node.place(f"/{pod}/{container}")

    node.freezer.freeze(UID, [PID], until_s=10.0)
    frozen = file.read_text()
    node.freezer.thaw(9.9)
    still = file.read_text()
    node.freezer.thaw(10.0)

    assert [frozen, still, file.read_text()] == ["1", "1", "0"]


def test_all_is_thawed_at_the_end(node):
    file = node.pod(f"{SLICE}.slice")
    node.place(f"/{SLICE}.slice/x")
    node.freezer.freeze(UID, [PID], until_s=10.0)

    node.freezer.thaw_all()

    assert file.read_text() == "0"


def test_a_pod_that_an_agent_before_left_frozen_is_released(node):
    file = node.pod(f"{SLICE}.slice")
    file.write_text("1\n")
    node.place(f"/{SLICE}.slice/x")

    node.freezer.release(UID, [PID])

    assert file.read_text().startswith("0")


def test_a_pod_that_has_gone_meanwhile_needs_no_thaw(node):
    file = node.pod(f"{SLICE}.slice")
    node.place(f"/{SLICE}.slice/x")
    node.freezer.freeze(UID, [PID], until_s=10.0)
    file.unlink()
    file.parent.rmdir()

    node.freezer.thaw(10.0)

    assert not file.parent.exists()


def test_what_cannot_be_thawed_is_tried_again_and_keeps_no_other_frozen(node):
    other = UID.replace("1b", "2c")
    first, second = (node.pod(f"kubepods/pod{uid}") for uid in (UID, other))
    for pid, uid in ((PID, UID), (PID + 1, other)):
        node.place(f"/kubepods/pod{uid}/x", pid)
        node.freezer.freeze(uid, [pid], until_s=10.0)
    first.unlink()

    with pytest.raises(FreezeError, match=r"cgroup\.freeze: No such file"):
        node.freezer.thaw(10.0)
    first.write_text("1")
    node.freezer.thaw(10.1)

    assert [first.read_text(), second.read_text()] == ["0", "0"]


@pytest.mark.parametrize(
    "path",
    ["/", "/system.slice/x.scope", f"/../{SLICE}.slice/x", f"/kubepods/pod{UID[:-1]}8/x"],
    ids=["none", "service", "another namespace", "another pod"],
)
def test_what_is_no_cgroup_of_the_pod_is_not_touched(node, path):
    node.place(path)

    with pytest.raises(FreezeError, match=f"pod {UID}: has no cgroup of version 2"):
        node.freezer.freeze(UID, [PID], until_s=10.0)


def test_processes_of_version_one_and_processes_that_ended_tell_no_cgroup(node):
    node.place(f"/{SLICE}.slice/x")
    (node.proc / str(PID) / "cgroup").write_text(f"4:memory:/{SLICE}.slice/x\n")

    with pytest.raises(FreezeError, match="has no cgroup of version 2"):
        node.freezer.freeze(UID, [PID, PID + 1], until_s=10.0)


@pytest.fixture
def real_pod():
    """Give a pod's cgroup of the kernel, with one process in it."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    found = [fields[1] for fields in map(str.split, mounts) if fields[2] == "cgroup2"]
    uid = str(uuid.uuid4())
    folder = Path(found[0] if found else "/nowhere") / f"pod{uid}"
    try:
        folder.mkdir()
    except OSError:
        lacks("no right to make a cgroup of version 2 here")
    process = subprocess.Popen(["sleep", "60"])
    try:
        (folder / "cgroup.procs").write_text(str(process.pid))
        yield folder, uid, process.pid
    finally:
        (folder / "cgroup.freeze").write_text("0")
        process.kill()
        process.wait()
        until(lambda: "populated 0" in (folder / "cgroup.events").read_text(), what="it is empty")
        folder.rmdir()


def test_the_kernel_freezes_and_thaws_a_pod(real_pod):
    folder, uid, pid = real_pod
    freezer = Freezer(folder.parent)

    freezer.freeze(uid, [pid], until_s=1.0)
    until(lambda: "frozen 1" in (folder / "cgroup.events").read_text(), what="it is frozen")
    freezer.thaw(1.0)

    until(lambda: "frozen 0" in (folder / "cgroup.events").read_text(), what="it is thawed")
