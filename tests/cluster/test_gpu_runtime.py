"""A process in a pod finds the GPUs that it was given, its pages, and that it is of its pod."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.agent.mapping.cgroup_names import name_of
from autoscaler.api.injection import VOLUMES
from tests.cluster.child_processes import start_child
from tests.cluster.gpu_runtime import GpuRuntime
from tests.cluster.kubelet_runtime import Start
from tests.cluster.node_cgroups import NodeCgroups, own_cgroup
from tests.components.lacking import lacks
from tests.fakes.gpu.cards import CardTraits, make_cards

UID = "01234567-89ab-cdef-0123-456789abcdef"
SLEEP = ("sleep", "600")


@pytest.fixture
def cards(tmp_path):
    made = make_cards(tmp_path / "cards", CardTraits(), CardTraits())
    yield made
    made.close()


@pytest.fixture
def cgroups():
    parent = own_cgroup()
    if parent is None:
        lacks("control groups cannot be made here")
    with NodeCgroups(parent) as made:
        yield made


def start(folder, environment=None, places=None):
    return Start(
        pod_uid=UID,
        node="node",
        folder=folder / "pod",
        environment=environment or {},
        places=places or {},
    )


def test_only_the_gpus_that_are_named_are_there_in_this_order(cards, tmp_path):
    first, second = (card.uuid for card in cards.cards)
    runtime = GpuRuntime({"node": cards})

    found = runtime.variables(
        start(tmp_path, {"NVIDIA_VISIBLE_DEVICES": f"{second},GPU-x,{first}"})
    )

    folder = Path(found["TF_FAKE_GPUS"])
    files = {each.name: each.resolve().name for each in folder.iterdir()}
    assert files == {"card0": "card1", "card1": "card0"}
    assert found["LD_LIBRARY_PATH"] == cards.environment()["LD_LIBRARY_PATH"]


@pytest.mark.parametrize("environment", [{}, {"NVIDIA_VISIBLE_DEVICES": ""}])
def test_a_process_that_was_given_no_gpu_finds_nothing(cards, tmp_path, environment):
    assert GpuRuntime({"node": cards}).variables(start(tmp_path, environment)) == {}


def test_the_limiter_finds_its_folder_however_often_a_container_starts(cards, tmp_path):
    places = {volume.path: tmp_path / volume.name for volume in VOLUMES}
    for place in places.values():
        place.mkdir()
    runtime = GpuRuntime({"node": cards})

    roots = {runtime.variables(start(tmp_path, places=places))["TF_ROOT"] for _ in range(2)}

    [root] = roots
    found = {f"/tensor-fusion/{each.name}": each.readlink() for each in Path(root).iterdir()}
    assert found == places


def test_the_cgroup_of_a_process_tells_its_pod_and_is_gone_with_it(cards, cgroups, tmp_path):
    runtime = GpuRuntime({"node": cards}, cgroups)
    with start_child(SLEEP, tmp_path / "log") as process:
        runtime.started(start(tmp_path), process.pid)

        told = Path(f"/proc/{process.pid}/cgroup").read_text(encoding="utf-8")
        assert cgroups.name in told
        name = name_of(told)

    assert name.pod_uid == UID
    assert len(name.container_id) == 64
    runtime.removed(UID)
    runtime.removed(UID)


def test_a_process_that_has_ended_already_is_no_error(cgroups, tmp_path):
    with start_child(["true"], tmp_path / "log") as process:
        process.wait_and_clear()

        cgroups.put(UID, process.pid)
