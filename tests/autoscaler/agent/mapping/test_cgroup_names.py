"""Paths of cgroups as container runtimes make them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.mapping.cgroup_names import CgroupName, name_in, name_of

UID = "0f3a5c1e-8b7d-4e21-9c40-5d6e7f809a1b"
UID_ = UID.replace("-", "_")
STATIC = "d2a1f0c3b4e5968778695a4b3c2d1e0f"
ID = "4c" * 32
OUTER = "1a" * 32
SLICE = f"kubepods-burstable-pod{UID_}.slice"
BURSTABLE = "kubepods.slice/kubepods-burstable.slice"
KIND = f"system.slice/docker-{OUTER}.scope/kubelet.slice/kubelet-kubepods.slice"
IN_POD = CgroupName(pod_uid=UID, container_id=ID)
ALONE = CgroupName(pod_uid="", container_id=ID)
SHAPES = {
    "containerd, systemd": (
        f"0::/{BURSTABLE}/{SLICE}/cri-containerd-{ID}.scope",
        IN_POD,
    ),
    "containerd, systemd, guaranteed": (
        f"0::/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope",
        IN_POD,
    ),
    "containerd, cgroupfs": (f"0::/kubepods/burstable/pod{UID}/{ID}", IN_POD),
    "containerd, cgroupfs, guaranteed": (f"0::/kubepods/pod{UID}/{ID}", IN_POD),
    "CRI-O, systemd": (f"0::/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}.scope", IN_POD),
    "CRI-O, systemd, a cgroup below": (
        f"0::/kubepods.slice/kubepods-pod{UID_}.slice/crio-{ID}.scope/container",
        IN_POD,
    ),
    "CRI-O, cgroupfs": (f"0::/kubepods/besteffort/pod{UID}/crio-{ID}", IN_POD),
    "docker, systemd": (
        f"0::/kubepods.slice/kubepods-besteffort-pod{UID_}.slice/docker-{ID}.scope",
        IN_POD,
    ),
    "docker, cgroupfs": (f"0::/kubepods/burstable/pod{UID}/{ID}", IN_POD),
    "containerd, slice set wrongly": (f"0::/system.slice/{SLICE}:cri-containerd:{ID}", IN_POD),
    "kind, systemd": (
        f"0::/{KIND}/kubelet-kubepods-burstable.slice/kubelet-{SLICE}/cri-containerd-{ID}.scope",
        IN_POD,
    ),
    "kind, cgroupfs": (f"0::/docker/{OUTER}/kubelet/kubepods/burstable/pod{UID}/{ID}", IN_POD),
    "static pod": (
        f"0::/{BURSTABLE}/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{ID}.scope",
        CgroupName(pod_uid=STATIC, container_id=ID),
    ),
    "static pod, cgroupfs": (
        f"0::/kubepods/burstable/pod{STATIC}/{ID}",
        CgroupName(pod_uid=STATIC, container_id=ID),
    ),
    "seen from another cgroup namespace": (
        f"0::/../../{SLICE}/cri-containerd-{ID}.scope",
        IN_POD,
    ),
    "seen from the same pod": (f"0::/../cri-containerd-{ID}.scope", ALONE),
    "in the pod and in no container": (
        f"0::/kubepods/burstable/pod{UID}",
        CgroupName(pod_uid=UID, container_id=""),
    ),
    "docker without Kubernetes": (f"0::/system.slice/docker-{ID}.scope", ALONE),
    "podman": (f"0::/machine.slice/libpod-{ID}.scope/container", ALONE),
    "first version": (
        f"12:devices:/user.slice\n4:memory:/kubepods/burstable/pod{UID}/{ID}\n1:name=systemd:/",
        IN_POD,
    ),
    "first version, systemd": (
        f"3:cpu,cpuacct:/\n1:name=systemd:/kubepods.slice/{SLICE}/docker-{ID}.scope",
        IN_POD,
    ),
    "first version, another controller": (f"3:cpu,cpuacct:/kubepods/pod{UID}/{ID}", IN_POD),
    "both versions": (f"4:pids:/kubepods/burstable/pod{UID}/{ID}\n0::/", IN_POD),
    "both versions, the second first": (
        f"0::/kubepods/pod{UID}/{ID}\n4:memory:/docker/{OUTER}",
        IN_POD,
    ),
}
NOTHING = (
    "",
    "0::/",
    "0::/user.slice/user-1000.slice/session-3.scope",
    "0::/system.slice/nvidia-dcgm.service",
    f"0::/system.slice/mypod{UID}.service",
    f"0::/kubepods/pod{UID}0/x",
    f"0::/kubepods/burstable/{ID}00",
    "no colons at all",
)


@pytest.mark.parametrize(("text", "name"), SHAPES.values(), ids=SHAPES)
def test_the_pod_and_the_container_are_found(text, name):
    assert name_of(text + "\n") == name


@pytest.mark.parametrize("text", NOTHING)
def test_a_process_outside_of_containers_has_no_names(text):
    assert name_of(text) is None


def test_the_container_of_a_pod_stands_inside_of_it():
    path = f"/docker/{OUTER}/kubepods/pod{UID}"
    assert name_in(path) == CgroupName(pod_uid=UID, container_id="")


def test_names_of_a_tenants_making_do_not_count():
    other = "99999999-9999-4999-8999-999999999999"
    assert name_in(f"/kubepods/pod{UID}/{ID}/pod{other}/{OUTER}") == IN_POD


def test_a_container_within_a_container_is_of_the_outer_one():
    assert name_in(f"/docker/{ID}/docker/{OUTER}") == ALONE


@given(st.uuids(), st.binary(min_size=32, max_size=32), st.sampled_from(["", "/a", "/b/c"]))
def test_any_uid_and_id_are_found_under_both_drivers(uid, digits, below):
    container = digits.hex()
    for pod, name in (
        (f"kubepods-pod{str(uid).replace('-', '_')}.slice", f"crio-{container}.scope"),
        (f"pod{uid}", container),
    ):
        found = name_of(f"0::/kubepods/{pod}/{name}{below}")
        assert found == CgroupName(pod_uid=str(uid), container_id=container)


@given(st.text())
def test_any_text_is_read_without_an_error(text):
    name = name_of(text)
    assert name is None or name.pod_uid or name.container_id
