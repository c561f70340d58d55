"""Slots that a tenant forges: to be free of the limiter, to hold more memory, to hide.

Processes of the pod are the limiter's own C, the agent's part is the agent's own.
"""

import os
import time
from pathlib import Path

import pytest

from autoscaler.agent.accounting.card_look import look_at
from autoscaler.agent.accounting.finding import SUSTAINED_S, FindingKind
from autoscaler.agent.accounting.inspection import UNCOUNTED_BYTES, UNCOUNTED_RATIO
from autoscaler.agent.pages.abi import MOST_PROCESSES, USE_BYTES, Use
from autoscaler.agent.pages.dead_slots import Owner, dead_slots
from autoscaler.agent.pages.folders import folders_within, make_folders
from autoscaler.agent.pages.terms import GPUTerms, Terms
from autoscaler.agent.pages.worker_pages import WorkerPages
from tests.autoscaler.agent.accounting.looks import look, pod_process, process, reading
from tests.autoscaler.agent.attacks.scene import Scene
from tests.autoscaler.agent.native.pod_process import PodProcess
from tests.autoscaler.agent.pages.pages import GIB, claim

LOOK_S = 0.2
UUID = "GPU-0a"
DEVICES = {"NVIDIA_VISIBLE_DEVICES": UUID}
MOST_WORD = 2**64 - 1


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path / "pods")


@pytest.fixture
def pod(tmp_path):
    """Return the folder of a pod whose agent allows 1 GiB and half of the GPU."""
    root = tmp_path / "pod"
    make_folders(folders_within(root))
    return root


@pytest.fixture
def pages(pod):
    opened = WorkerPages(folders_within(pod), 1)
    _apply(opened)
    yield opened
    opened.close()


def _apply(pages):
    gpu = GPUTerms(uuid=UUID, share=0.5, memory_limit_bytes=GIB, qos_rank=1)
    pages.apply(Terms(pod_uid="u", gpus=(gpu,)), time.monotonic_ns())


def _forge(pod, write):
    """Write a page of use as a tenant can."""
    file = pod / "use" / "use"
    page = Use.from_buffer_copy(file.read_bytes())
    write(page)
    with file.open("r+b") as opened:
        opened.write(bytes(page))


def _joined(pod, **environment):
    return PodProcess(pod, DEVICES | environment).join()


def _owner(process):
    start_time = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
    return Owner(process.pid, start_time)


def test_a_process_beside_the_limiter_is_found_by_the_slot_that_it_does_not_hold(scene):
    def leave(page, now_ns):
        page.process[0].pid = 0

    bypasser = scene.tenant(wanted=0.6, limit=0.3, is_limited=False, attack=leave)
    honest = scene.tenant(wanted=0.4)
    scene.run(5.0)

    assert scene.found_after_s(bypasser, FindingKind.UNACCOUNTED) <= SUSTAINED_S + 2 * LOOK_S
    assert scene.shown(bypasser).unaccounted_share == pytest.approx(0.6, abs=0.01)
    assert scene.kinds(honest) == set()


def test_a_page_that_cannot_be_made_leaves_its_processes_without_a_slot(scene):
    filler = scene.tenant(wanted=0.3, spoil=lambda path, now_ns: None)
    scene.run(5.0)

    assert not (filler.served.folders.use / "use").exists()
    assert scene.kinds(filler) == {FindingKind.UNACCOUNTED, FindingKind.MEMORY}


def test_a_slot_that_is_forged_for_it_hides_it_beside_neighbours_and_not_while_it_is_alone(scene):
    bypasser = scene.tenant(wanted=0.6, limit=0.3, is_limited=False)
    honest = scene.tenant(wanted=0.4)
    scene.run(5.0)
    beside = scene.kinds(bypasser)
    honest.wanted = 0.0
    scene.begin_attack()
    scene.run(5.0)

    assert beside == set()
    assert scene.found_after_s(bypasser, FindingKind.OVER_SHARE) <= SUSTAINED_S + 3 * LOOK_S


@pytest.mark.parametrize("said_bytes", [0, GIB, MOST_WORD])
def test_memory_is_shown_as_the_driver_tells_it_whatever_a_slot_says(scene, said_bytes):
    def write(page, now_ns):
        page.process[0].memory_bytes[0] = said_bytes

    hider = scene.tenant(wanted=0.1, memory_bytes=40 * GIB, attack=write)
    scene.run(6.0)

    shown = scene.shown(hider)
    assert shown.memory_bytes >= 40 * GIB
    assert shown.over_limit_bytes >= 40 * GIB - hider.served.worker.vram_limit_bytes


def test_memory_beside_the_limiter_is_found_beyond_what_drivers_take_for_themselves(scene):
    def write(page, now_ns):
        page.process[0].memory_bytes[0] = GIB

    hidden_bytes = int((GIB + UNCOUNTED_BYTES) / (1 - UNCOUNTED_RATIO))
    within = scene.tenant(wanted=0.1, memory_bytes=hidden_bytes - 1, attack=write)
    beyond = scene.tenant(wanted=0.1, memory_bytes=hidden_bytes + 2, attack=write)
    scene.run(5.0)

    assert scene.kinds(within) == set()
    assert scene.found_after_s(beyond, FindingKind.MEMORY) <= SUSTAINED_S + 2 * LOOK_S


def test_a_slot_that_is_emptied_lets_its_pod_hold_more_and_no_other(pod, pages, tmp_path):
    other = tmp_path / "other"
    make_folders(folders_within(other))
    others = WorkerPages(folders_within(other), 1)
    _apply(others)
    with _joined(pod) as forger, _joined(other) as honest:
        granted = [forger.call("tf_reserve", 0, GIB) for _ in range(2)]
        _forge(pod, lambda page: page.process[0].memory_bytes.__setitem__(0, 0))
        granted.append(forger.call("tf_reserve", 0, GIB))

        assert granted == [1, 0, 1]
        assert [honest.call("tf_reserve", 0, GIB) for _ in range(2)] == [1, 0]
        assert others.read(1).memory_bytes(0) == GIB
    others.close()


@pytest.mark.parametrize("held_bytes", [GIB, MOST_WORD])
def test_slots_that_are_forged_full_deny_their_own_pod_until_the_agent_frees_them(
    pod, pages, held_bytes
):
    with _joined(pod) as process:

        def fill(page):
            page.slots_used = MOST_PROCESSES
            for slot in range(1, MOST_PROCESSES):
                claim(page, slot, pid=slot, memory_bytes=[held_bytes])

        _forge(pod, fill)
        denied = process.call("tf_reserve", 0, GIB)
        newcomer = PodProcess(pod, DEVICES)
        newcomer.call("tf_attach")
        has_slot = newcomer.call("tf_slot_claim")
        pages.declare_dead(dead_slots(pages.read(1), {_owner(process)}))
        _apply(pages)

        assert (denied, has_slot) == (0, 0)
        assert process.call("tf_reserve", 0, GIB) == 1
        # Without a place its memory is not counted for others; what it may hold is bounded still.
        assert newcomer.call("tf_reserve", 0, 1) == 0
        newcomer.kill()


@pytest.mark.parametrize("size_bytes", [USE_BYTES - 1, USE_BYTES + 1])
def test_a_page_of_another_size_gives_each_new_process_limits_of_its_own_and_shows_them(
    pod, pages, size_bytes
):
    with _joined(pod) as first:
        os.truncate(pod / "use" / "use", size_bytes)
        second, third = (PodProcess(pod, DEVICES) for _ in range(2))
        with second, third:
            states = [each.attach() for each in (second, third)]
            granted = [each.call("grow", 0, GIB) for each in (second, third)]

            assert states == ["attached", "attached"]
            assert granted == [GIB, GIB]
            assert second.share(0) == 0.5
        os.truncate(pod / "use" / "use", USE_BYTES)
        assert [row.pid for row in pages.read(1).processes] == [first.pid]


def test_a_folder_of_its_own_is_no_page_of_the_pod(pod, pages, tmp_path):
    own = tmp_path / "own"
    make_folders(folders_within(own))
    with _joined(pod, TF_ROOT=str(own)) as process:
        owner = _owner(process)

    assert owner.pid not in {row.pid for row in _rows(pages)}


def test_what_the_environment_says_counts_for_nothing_beside_a_control_page(pod, pages):
    wishes = {
        "NVIDIA_VISIBLE_DEVICES": f"GPU-other,{UUID}",
        "TF_LIMIT_VRAM": str(1024 * GIB),
        "TF_LIMIT_COMPUTE_PERCENT": "100",
        "TF_GPU_PEAK_TFLOPS": "1",
        "POD_NAME": "somebody-else",
    }
    with _joined(pod, **wishes) as process:
        assert process.call("tf_gpu_index", UUID) == 0
        assert process.share(0) == 0.5
        assert process.call("tf_memory_limit_bytes", 0) == GIB


def test_a_slot_does_not_take_over_the_process_of_another_pod():
    owners = {1001: "victim", 1002: "forger"}
    honest = look(process(1001, 50.0), process(1002), owners=owners, metered=[1001, 1002])
    sample, pods = honest.sample, {pid: pod_process(pid, uid) for pid, uid in owners.items()}

    forged = look_at(sample, pods, {"victim": reading(1001), "forger": reading(1001, 1002)})

    assert forged == honest


def test_a_slot_that_names_a_living_process_keeps_only_its_own_pod_from_its_memory(pod, pages):
    with _joined(pod) as process:
        owner = _owner(process)

        def forge(page):
            page.slots_used = 2
            claim(
                page,
                1,
                pid=owner.pid,
                pid_namespace=Path("/proc/self/ns/pid").stat().st_ino,
                start_time=owner.start_time,
                memory_bytes=[GIB],
            )

        _forge(pod, forge)
        reading_now = pages.read(1)

        assert dead_slots(reading_now, {owner}) == {}
        assert reading_now.memory_bytes(0) == GIB
        # The limiter of the process itself knows that it has one slot.
        assert process.call("tf_reserve", 0, GIB) == 1


def _rows(pages):
    found = pages.read(1)
    return found.processes if found is not None else ()
