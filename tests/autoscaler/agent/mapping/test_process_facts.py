"""What the kernel tells of a process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.agent.mapping.cgroup_names import CgroupName
from autoscaler.agent.mapping.process_facts import (
    PodHint,
    ProcessFacts,
    facts_of,
    hint_of,
    running_processes,
    start_time_of,
)
from tests.autoscaler.agent.mapping.proc_double import ProcDouble
from tests.components.lacking import lacks

ID = "4c" * 32
UID = "0f3a5c1e-8b7d-4e21-9c40-5d6e7f809a1b"


@pytest.fixture
def proc(tmp_path):
    return ProcDouble(tmp_path / "proc")


def test_a_process_in_a_pod_is_told_whole(proc):
    proc.add(
        70,
        f"0::/kubepods/pod{UID}/{ID}",
        start_time=4711,
        namespace_pids=(70, 12, 3),
    )
    assert facts_of(70, proc.root) == ProcessFacts(
        start_time=4711,
        name=CgroupName(pod_uid=UID, container_id=ID),
        namespace_pid=3,
    )


@pytest.mark.parametrize("name", ["a b", "a) S 5 (b", ")", "(("])
def test_the_name_of_a_program_does_not_shift_the_start_time(proc, name):
    proc.add(70, name=name, start_time=4711)
    assert start_time_of(70, proc.root) == 4711


def test_a_process_that_has_ended_is_none(proc):
    assert facts_of(70, proc.root) is None
    assert start_time_of(70, proc.root) is None
    assert hint_of(70, proc.root) is None


def test_pids_are_the_numbers_among_the_entries(proc):
    proc.add(70)
    proc.add(8)
    assert sorted(running_processes(proc.root)) == [8, 70]


def test_a_process_that_gets_a_pid_again_has_another_inode(proc):
    proc.add(70)
    before = running_processes(proc.root)
    proc.add(70)
    assert running_processes(proc.root) != before


@pytest.mark.parametrize(
    ("environ", "hint"),
    [
        ({"POD_NAME": "a", "POD_NAMESPACE": "n"}, PodHint(namespace="n", name="a")),
        ({"HOSTNAME": "a", "PATH": "/bin"}, PodHint(namespace="", name="a")),
        ({"HOSTNAME": "b", "POD_NAME": "a=b"}, PodHint(namespace="", name="a=b")),
        ({"PATH": "/bin"}, None),
        ({}, None),
    ],
)
def test_a_process_may_hint_at_its_pod(proc, environ, hint):
    proc.add(70, environ=environ)
    assert hint_of(70, proc.root) == hint


def test_this_process_is_told_as_its_own_kernel_shows_it():
    facts = facts_of(os.getpid())
    assert facts is not None
    assert facts.namespace_pid == os.getpid()
    assert os.getpid() in running_processes()


def test_a_child_starts_no_earlier_than_its_parent():
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={"POD_NAME": "a"}
    )
    with child:
        own, its = start_time_of(os.getpid()), start_time_of(child.pid)
        child.communicate(b"\n")
    assert own is not None
    assert its is not None
    assert own <= its
    assert facts_of(child.pid) is None


SHOW_AND_WAIT = "import os; print(os.getpid(), flush=True); input()"


def test_a_process_in_a_namespace_of_its_own_is_told_as_it_sees_itself():
    command = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    outer = subprocess.Popen(
        [*command, sys.executable, "-c", SHOW_AND_WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with outer:
        shown = outer.stdout.readline()
        if not shown:
            lacks(f"no PID namespaces here: {outer.stderr.read().strip()}")
        [inner] = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        facts = facts_of(int(inner))
        outer.communicate("\n")
    assert facts is not None
    assert facts.namespace_pid == int(shown) == 1
