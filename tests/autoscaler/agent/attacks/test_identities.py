"""Who a process says it is: nobody bills another pod, or has the agent act on its behalf."""

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.accounting.card_look import look_at
from autoscaler.agent.accounting.finding import Finding, FindingKind
from autoscaler.agent.backstops.backstops import Backstops
from autoscaler.agent.backstops.freezer import FreezeError, Freezer
from autoscaler.agent.backstops.policy import Backstop, BackstopPolicy
from autoscaler.agent.mapping.cgroup_names import name_of
from autoscaler.agent.mapping.pod_identity import PodIdentity, identity_of
from autoscaler.agent.mapping.process_facts import facts_of, start_time_of
from autoscaler.agent.mapping.process_map import ProcessMap
from autoscaler.agent.running.acting import Acting
from tests.autoscaler.agent.accounting.looks import GIB, look, pod_process, process, reading
from tests.autoscaler.agent.mapping.proc_double import ProcDouble

A_UID, B_UID = (f"0f3a5c1e-8b7d-4e21-9c40-00000000000{digit}" for digit in "ab")
A_ID, B_ID = "aa" * 32, "bb" * 32
STATIC_UID = "d2a1f0c3b4e5968778695a4b3c2d1e0f"
NODE_NAME = "gpu-node-1"
LINE_ENDS = "\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
"""What ``str.splitlines`` takes for the end of a line and the kernel does not."""


@pytest.fixture
def proc(tmp_path):
    return ProcDouble(tmp_path / "proc")


@pytest.fixture
def sleeper():
    """Yield a process that has done nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


def _pod(uid, name, **annotations):
    metadata = {"uid": uid, "namespace": "n", "name": name, "annotations": annotations}
    return identity_of({"metadata": metadata})


def test_a_process_that_names_a_worker_in_its_environment_is_billed_to_nobody():
    honest = look(process(1001, 30.0), owners={1001: "victim"}, metered=[1001], busy_percent=30.0)
    liar = replace(pod_process(1002, "victim"), is_hint=True)
    sample = replace(honest.sample, processes=(process(1001, 30.0), process(1002, 70.0, 40 * GIB)))

    seen = look_at(
        sample, {1001: pod_process(1001, "victim"), 1002: liar}, {"victim": reading(1001)}
    )

    assert seen.workers == honest.workers
    # Nor is it overlooked: beside it the figure of the driver accuses nobody.
    assert seen.alone_share("victim", {"victim": 0.3}) is None


def test_where_its_page_says_so_too_a_process_outside_of_containers_is_of_its_worker():
    hinted = replace(pod_process(1001, "train"), is_hint=True)
    sample = look(process(1001, 30.0), owners={1001: "train"}).sample

    seen = look_at(sample, {1001: hinted}, {"train": reading(1001)})

    assert [each.pid for each in seen.of("train").metered] == [1001]


def test_a_pod_that_is_named_like_its_node_does_not_get_the_daemons_of_the_node(proc):
    processes = ProcessMap(proc.root)
    processes.know([PodIdentity(uid=A_UID, namespace="n", name=NODE_NAME)])
    proc.add(70, "0::/system.slice/dcgm.service", environ={"HOSTNAME": NODE_NAME})

    assert processes.find(70).is_hint
    assert processes.all_of({A_UID}) == ()


@pytest.mark.parametrize("is_hint", [True, False])
def test_a_process_that_was_only_said_to_be_of_the_pod_is_not_ended_for_it(
    tmp_path, sleeper, is_hint
):
    backstops = Backstops(
        BackstopPolicy(Backstop.KILL),
        Freezer(tmp_path),
        tell=lambda finding: None,
        evict=lambda uid: None,
    )
    forged = Finding(kind=FindingKind.TAMPERED, uid=A_UID, uuid="GPU-a", text="forged")
    daemon = replace(
        pod_process(sleeper.pid, A_UID),
        start_time=start_time_of(sleeper.pid),
        is_hint=is_hint,
    )

    backstops.follow([forged], {sleeper.pid: daemon}, {A_UID}, 0.0)
    if is_hint:
        sleeper.communicate(b"\n")

    assert sleeper.wait() == (0 if is_hint else -9)


def test_an_annotation_does_not_give_a_pod_the_processes_of_a_static_one(proc):
    processes = ProcessMap(proc.root)
    processes.know([_pod(A_UID, "thief", **{"kubernetes.io/config.hash": STATIC_UID})])
    proc.add(70, f"0::/kubepods/pod{STATIC_UID}/{A_ID}")

    assert processes.find(70).is_hint
    assert processes.all_of({A_UID}) == ()


def test_a_frozen_pod_of_an_earlier_agent_is_not_looked_for_by_hints(tmp_path, proc):
    class Surroundings:
        def tell_finding(self, finding):
            """Say nothing."""

        def evict(self, uid):
            """Evict nobody."""

    class Asked(Freezer):
        def release(self, uid, pids):
            raise AssertionError(f"{uid} {pids}")

    acting = Acting(Backstop.FREEZE, Surroundings(), Asked(tmp_path, proc.root))

    acting.act([], {70: replace(pod_process(70, A_UID), is_hint=True)}, frozenset({A_UID}), 0.0)


@given(st.sampled_from(LINE_ENDS), st.sampled_from(["0::", "1:memory:", "2:pids:", "3:name=x:"]))
def test_a_cgroup_whose_name_looks_like_another_line_is_still_its_own_pods(line_end, controller):
    own = f"/kubepods/pod{A_UID}/{A_ID}"
    forged = f"{line_end}{controller}/kubepods/pod{B_UID}/{B_ID}"

    for line in (f"0::{own}{forged}", f"5:memory:{own}{forged}", f"5:cpu:{own}{forged}"):
        assert name_of(line).pod_uid == A_UID


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_a_forged_line_leads_the_freezer_to_no_other_pod(tmp_path, proc, line_end):
    proc.add(70, f"5:memory:/kubepods/pod{A_UID}/{line_end}0::/kubepods/pod{B_UID}")
    freezer = Freezer(tmp_path / "cgroup", proc.root)

    with pytest.raises(FreezeError, match=f"pod {B_UID}: has no cgroup"):
        freezer.folder_of(B_UID, [70])


@pytest.mark.parametrize(
    "name", ["\nNSpid:\t1", ") R 1 1 1 1 1", "x) S 0 0 0 (y", "\nNSpid:\t1\t2\t3"]
)
def test_the_name_of_a_process_does_not_change_what_the_kernel_says_of_it(name):
    program = (
        "import ctypes, os, sys\n"
        "ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)\n"
        "print(flush=True)\n"
        "input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as plain:
        before = start_time_of(plain.pid)
        plain.stdout.readline()
        facts = facts_of(plain.pid)
        plain.communicate(b"\n")

    assert (facts.start_time, facts.namespace_pid) == (before, plain.pid)
