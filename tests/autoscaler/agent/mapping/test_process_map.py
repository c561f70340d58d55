"""Which pod a process belongs to, by trust."""

import pytest

from autoscaler.agent.mapping.pod_identity import PodIdentity, identity_of
from autoscaler.agent.mapping.pod_processes import PodProcess
from autoscaler.agent.mapping.process_map import TICKS_PER_S, ProcessMap
from tests.autoscaler.agent.mapping.proc_double import ProcDouble

A_UID, B_UID = (f"0f3a5c1e-8b7d-4e21-9c40-00000000000{digit}" for digit in "ab")
BOOT_TIME_S = 5000.0
YOUNG = int((BOOT_TIME_S - 1) * TICKS_PER_S)
A_ID, B_ID = "aa" * 32, "bb" * 32
A = PodIdentity(uid=A_UID, namespace="n", name="a", container_ids=frozenset({A_ID}))
B = PodIdentity(uid=B_UID, namespace="n", name="b", container_ids=frozenset({B_ID}))


@pytest.fixture
def proc(tmp_path):
    return ProcDouble(tmp_path / "proc")


@pytest.fixture
def processes(proc):
    made = ProcessMap(proc.root, boot_time_s=lambda: BOOT_TIME_S)
    made.know([A, B])
    return made


def uid_of(process):
    return process and process.pod_uid


def test_a_process_is_of_the_pod_in_its_path(proc, processes):
    proc.add(70, f"0::/kubepods/pod{A_UID}/{A_ID}", start_time=5, namespace_pids=(70, 3))
    assert processes.find(70) == PodProcess(
        pid=70,
        start_time=5,
        pod_uid=A_UID,
        container_id=A_ID,
        namespace_pid=3,
        is_hint=False,
    )


def test_a_path_without_a_pod_is_resolved_by_its_container(proc, processes):
    proc.add(70, f"0::/../cri-containerd-{B_ID}.scope")
    assert uid_of(processes.find(70)) == B_UID


def test_the_pod_in_the_path_counts_before_the_container(proc, processes):
    proc.add(70, f"0::/kubepods/pod{A_UID}/{B_ID}")
    assert uid_of(processes.find(70)) == A_UID


def test_a_process_that_is_in_no_container_may_hint_and_is_marked(proc, processes):
    proc.add(70, "0::/", environ={"POD_NAMESPACE": "n", "POD_NAME": "b"})
    found = processes.find(70)
    assert (uid_of(found), found.is_hint) == (B_UID, True)


def test_a_process_in_a_container_is_never_asked_for_its_own_word(proc, processes):
    stranger = "99999999-9999-4999-8999-999999999999"
    said = {"POD_NAMESPACE": "n", "POD_NAME": "b"}
    proc.add(70, f"0::/kubepods/pod{stranger}/{A_ID}", environ=said)
    proc.add(71, f"0::/docker/{'cc' * 32}", environ=said)
    assert (processes.find(70), processes.find(71)) == (None, None)


def test_a_hint_at_two_pods_is_none(proc, processes):
    proc.add(70, environ={"HOSTNAME": "a"})
    assert uid_of(processes.find(70)) == A_UID
    processes.know([A, PodIdentity(uid=B_UID, namespace="other", name="a")])
    assert processes.find(70) is None


def test_a_process_of_the_node_is_of_no_pod(proc, processes):
    proc.add(70, "0::/system.slice/nvidia-dcgm.service")
    assert processes.find(70) is None


def test_a_process_that_has_ended_is_of_no_pod(proc, processes):
    proc.add(70, f"0::/kubepods/pod{A_UID}/{A_ID}")
    processes.find(70)
    proc.end(70)
    assert processes.find(70) is None


def test_a_pid_that_came_to_another_process_is_looked_at_anew(proc, processes):
    proc.add(70, f"0::/kubepods/pod{A_UID}/{A_ID}", start_time=5)
    processes.find(70)
    proc.add(70, f"0::/kubepods/pod{B_UID}/{B_ID}", start_time=6)
    found = processes.find(70)
    assert (uid_of(found), found.start_time) == (B_UID, 6)


def test_a_process_that_is_put_into_a_container_later_is_found_there(proc, processes):
    proc.add(70, "0::/system.slice/containerd.service", start_time=YOUNG)
    assert processes.find(70) is None
    proc.add(70, f"0::/kubepods/pod{A_UID}/{A_ID}", start_time=YOUNG)
    assert uid_of(processes.find(70)) == A_UID


def test_a_pod_that_becomes_known_later_has_its_processes(proc, processes):
    processes.know([])
    proc.add(70, f"0::/kubepods/pod{A_UID}/{A_ID}")
    assert processes.find(70) is None
    processes.know([A])
    assert uid_of(processes.find(70)) == A_UID


def test_all_processes_of_pods_are_found_without_those_that_only_hint(proc, processes):
    proc.add(72, f"0::/kubepods/pod{A_UID}/{A_ID}")
    proc.add(7, f"0::/kubepods/pod{A_UID}/{B_ID}")
    proc.add(8, f"0::/kubepods/pod{B_UID}/{B_ID}")
    proc.add(9, "0::/", environ={"HOSTNAME": "a"})
    assert [each.pid for each in processes.all_of({A_UID})] == [7, 72]


def test_a_look_at_all_sees_who_came_and_who_ended(proc, processes):
    def pids():
        return [each.pid for each in processes.all_of({A_UID, B_UID})]

    proc.add(70, f"0::/kubepods/pod{A_UID}/{A_ID}")
    assert pids() == [70]
    proc.add(71, f"0::/kubepods/pod{B_UID}/{B_ID}")
    assert pids() == [70, 71]
    proc.end(70)
    assert pids() == [71]


def test_a_look_at_all_sees_that_a_pid_came_to_another_process(proc, processes):
    proc.add(70, f"0::/kubepods/pod{A_UID}/{A_ID}", start_time=5)
    processes.all_of({A_UID})
    proc.add(70, f"0::/kubepods/pod{B_UID}/{B_ID}", start_time=6)
    assert processes.all_of({A_UID}) == ()
    assert [each.start_time for each in processes.all_of({B_UID})] == [6]


def test_a_look_at_all_sees_a_process_that_was_put_into_a_container(proc, processes):
    proc.add(70, "0::/system.slice/containerd.service", start_time=YOUNG)
    assert processes.all_of({A_UID}) == ()
    (proc.root / "70/cgroup").write_text(f"0::/kubepods/pod{A_UID}/{A_ID}\n")
    assert [each.pid for each in processes.all_of({A_UID})] == [70]


def test_a_static_pod_is_found_by_the_uid_that_its_kubelet_uses(proc):
    static_uid = "d2a1f0c3b4e5968778695a4b3c2d1e0f"
    metadata = {
        "uid": A_UID,
        "namespace": "n",
        "name": "a",
        "annotations": {"kubernetes.io/config.hash": static_uid},
    }
    processes = ProcessMap(proc.root)
    processes.know([identity_of({"metadata": metadata})])
    proc.add(70, f"0::/kubepods/pod{static_uid}/{A_ID}")
    assert uid_of(processes.find(70)) == A_UID


def test_a_pod_cannot_take_the_uid_of_another_one(proc):
    metadata = {"namespace": "n", "name": "x", "uid": "x"}
    thief = identity_of(
        {"metadata": {**metadata, "annotations": {"kubernetes.io/config.hash": A_UID}}}
    )
    processes = ProcessMap(proc.root)
    processes.know([A, thief])
    proc.add(70, f"0::/kubepods/pod{A_UID}/{A_ID}")
    assert uid_of(processes.find(70)) == A_UID


def test_the_identity_of_a_pod_has_the_ids_of_all_its_containers():
    pod = {
        "metadata": {"uid": A_UID, "namespace": "n", "name": "a"},
        "status": {
            "initContainerStatuses": [{"containerID": f"containerd://{A_ID}"}, {}],
            "containerStatuses": [{"containerID": f"cri-o://{B_ID}"}],
            "ephemeralContainerStatuses": None,
        },
    }
    assert identity_of(pod) == PodIdentity(
        uid=A_UID, namespace="n", name="a", container_ids=frozenset({A_ID, B_ID})
    )
