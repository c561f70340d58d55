"""Memory of a pod, reserved by racing, dying, forking and replaced processes."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.agent.pages.abi import MOST_PROCESSES, USE_BYTES, USE_MAGIC, Use, UseProcess
from tests.autoscaler.agent.native.built import NATIVE, built_library, built_program, compilers
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page
from tests.autoscaler.agent.native.pod_process import PAGE_SOURCES, PodProcess
from tests.components.lacking import lacks
from tests.components.processes import until

UUID = "GPU-11111111-aaaa"
LIMIT_BYTES = 1000
DEVICES = {"NVIDIA_VISIBLE_DEVICES": UUID, "TF_LIMIT_VRAM": str(LIMIT_BYTES)}
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
MOST_STORES = 200
THREADS = Path(__file__).with_name("memory_threads.c")
KILLED = Path(__file__).with_name("kill_at_store.c")


@pytest.fixture
def pod(tmp_path: Path) -> PodFolder:
    return PodFolder(tmp_path / "tensor-fusion")


def _joined(pod: PodFolder) -> PodProcess:
    return PodProcess(pod.root, DEVICES).join()


def _namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _start_time(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def _write_slots(pod: PodFolder, *slots: UseProcess) -> None:
    use = Use(magic=USE_MAGIC, abi_version=1, size_bytes=USE_BYTES, slots_used=len(slots))
    for place, slot in enumerate(slots):
        use.process[place] = slot
    pod.write_use(use)


def _slot(pid: int, start_time: int, namespace: int, held_bytes: int) -> UseProcess:
    slot = UseProcess(
        pid=pid, generation=5, start_time=start_time, pid_namespace=namespace, ready_generation=5
    )
    slot.memory_bytes[0] = held_bytes
    return slot


@pytest.mark.parametrize("count", [2, 5, 64])
def test_racing_processes_are_granted_the_limit_exactly(pod: PodFolder, count: int) -> None:
    processes = [PodProcess(pod.root, DEVICES) for _ in range(count)]
    for process in processes:
        process.join()
    for process in processes:
        process.send("grow", 0, 1)
    granted = [process.answer() for process in processes]
    assert sum(granted) == LIMIT_BYTES == pod.held_bytes(0)
    for process in processes:
        process.kill()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 1), st.booleans(), st.integers(0, 600)), min_size=1, max_size=25
    )
)
def test_what_fits_is_granted_and_what_does_not_is_denied(
    tmp_path: Path, steps: list[tuple[int, bool, int]]
) -> None:
    pod = PodFolder(tmp_path / os.urandom(8).hex())
    held = [0, 0]
    denied: list[int] = []
    with _joined(pod) as first, _joined(pod) as second:
        for who, is_free, size_bytes in steps:
            process = (first, second)[who]
            if is_free:
                freed = min(size_bytes, held[who])
                process.call("tf_unreserve", 0, freed, 0)
                held[who] -= freed
                continue
            fits = sum(held) + size_bytes <= LIMIT_BYTES
            assert fits == bool(process.call("tf_reserve", 0, size_bytes))
            held[who] += size_bytes if fits else 0
            denied += [] if fits else [size_bytes]
        assert sum(held) == first.call("tf_held_bytes", 0) == pod.held_bytes(0)
    gpu = pod.read_use().gpu[0]
    assert (len(denied), sum(denied)) == (gpu.denied_allocations, gpu.denied_bytes)


def test_another_gpu_has_its_own_limit(pod: PodFolder) -> None:
    devices = DEVICES | {"NVIDIA_VISIBLE_DEVICES": f"{UUID},GPU-2"}
    with PodProcess(pod.root, devices).join() as process:
        granted = [process.call("grow", gpu, 100) for gpu in (0, 1)]
    assert granted == [LIMIT_BYTES, LIMIT_BYTES]


def test_a_gpu_that_is_not_the_pods_is_not_counted(pod: PodFolder) -> None:
    with _joined(pod) as process:
        assert process.call("tf_reserve", -1, 10 * LIMIT_BYTES) == 1
        assert process.call("tf_held_bytes", -1) == 0


def test_what_exists_already_counts_whatever_the_limit_says(pod: PodFolder) -> None:
    with _joined(pod) as process:
        process.call("tf_reserve_always", 0, 3 * LIMIT_BYTES, 1)
        assert process.call("tf_reserve", 0, 1) == 0
        slot = pod.read_use().process[0]
        assert (slot.memory_bytes[0], slot.context_bytes) == (3 * LIMIT_BYTES, 3 * LIMIT_BYTES)
        process.call("tf_unreserve", 0, 3 * LIMIT_BYTES, 1)
        assert process.call("grow", 0, 100) == LIMIT_BYTES


def test_a_lowered_limit_denies_and_takes_nothing_away(pod: PodFolder) -> None:
    ctl = control_page([UUID])
    ctl.gpu[0].memory_limit_bytes = LIMIT_BYTES
    pod.write_ctl(ctl)
    with _joined(pod) as process:
        process.call("tf_reserve", 0, 600)
        ctl.gpu[0].memory_limit_bytes = 500
        pod.write_ctl(ctl)
        assert process.call("tf_reserve", 0, 1) == 0
        assert process.call("tf_held_bytes", 0) == 600


def test_memory_of_a_killed_process_is_free_again(pod: PodFolder) -> None:
    with _joined(pod) as survivor:
        victim = _joined(pod)
        assert victim.call("grow", 0, 100) == LIMIT_BYTES
        victim.kill()
        assert survivor.call("grow", 0, 100) == LIMIT_BYTES


def test_memory_of_a_process_that_nobody_has_waited_for_is_free_again(pod: PodFolder) -> None:
    with _joined(pod) as survivor, _joined(pod) as zombie:
        zombie.call("tf_reserve", 0, LIMIT_BYTES)
        os.kill(zombie.pid, signal.SIGKILL)
        until(lambda: survivor.call("tf_reserve", 0, 1) == 1, what="the dead holds nothing")


def test_a_process_that_has_released_its_slot_holds_nothing(pod: PodFolder) -> None:
    with _joined(pod) as process:
        process.call("tf_reserve", 0, 600)
        process.call("tf_slot_release")
        assert pod.held_bytes(0) == 0


@pytest.fixture(scope="module")
def killable() -> Path:
    """Return the library whose process can be killed before any store of it."""
    return built_library([*PAGE_SOURCES, KILLED], flags=["-DTF_BEFORE_STORE=tf_before_store"])


def _live_until_store(pod: PodFolder, killable: Path, store: int) -> bool:
    """Let a process claim, reserve, free and go, killed before a store; True: it lived on."""
    process = PodProcess(pod.root, DEVICES, library=killable)
    process.call("tf_attach")
    process.send("tf_kill_at_store", store)
    for name, *arguments in (
        ("tf_slot_claim",),
        ("tf_reserve", 0, 700),
        ("tf_reserve", 0, 700),
        ("tf_unreserve", 0, 200, 0),
        ("tf_reserve_always", 0, 100, 1),
        ("tf_slot_release",),
    ):
        try:
            process.send(str(name), *arguments)
        except BrokenPipeError:
            break
    says = process.answers_until_the_end()
    return len(says) == 7


def test_a_kill_at_any_store_leaves_nothing_held_and_takes_nothing_away(
    pod: PodFolder, killable: Path
) -> None:
    ended: list[int] = []
    bystander = _joined(pod)
    bystander.call("tf_reserve", 0, 100)
    for store in range(1, MOST_STORES):
        if _live_until_store(pod, killable, store):
            break
        ended.append(store)
        assert bystander.call("tf_reserve", 0, LIMIT_BYTES - 100) == 1
        assert pod.held_bytes(0) == LIMIT_BYTES
        bystander.call("tf_unreserve", 0, LIMIT_BYTES - 100, 0)
    bystander.kill()
    assert 25 < len(ended) < MOST_STORES - 1


@pytest.mark.parametrize("flags", [[], ["-fsanitize=thread"], ["-fsanitize=address,undefined"]])
def test_threads_of_a_process_leave_nothing_held(pod: PodFolder, flags: list[str]) -> None:
    if flags and "gcc" not in compilers():
        lacks("gcc with its sanitizers")
    sources = [THREADS, NATIVE / "ledger.c", *PAGE_SOURCES]
    program = built_program(sources, flags=[*flags, "-lpthread"])
    environment = DEVICES | {"TF_ROOT": str(pod.root), "TF_CTL_WAIT": "0"}
    run = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "0\n", "")


def test_a_pid_that_was_given_to_another_process_is_not_its_owner(pod: PodFolder) -> None:
    _write_slots(pod, _slot(os.getpid(), _start_time(os.getpid()) - 1, _namespace(), LIMIT_BYTES))
    with _joined(pod) as process:
        assert process.call("grow", 0, 100) == LIMIT_BYTES


def test_a_living_process_keeps_what_it_holds(pod: PodFolder) -> None:
    _write_slots(pod, _slot(os.getpid(), _start_time(os.getpid()), _namespace(), LIMIT_BYTES))
    with _joined(pod) as process:
        assert process.call("tf_reserve", 0, 1) == 0


def test_a_process_of_another_namespace_is_not_judged(pod: PodFolder) -> None:
    _write_slots(pod, _slot((1 << 22) + 1, 1, _namespace() + 1, LIMIT_BYTES))
    with _joined(pod) as process:
        assert process.call("tf_reserve", 0, 1) == 0


def test_the_agents_word_frees_a_slot_of_any_namespace(pod: PodFolder) -> None:
    _write_slots(pod, _slot(1, 1, _namespace() + 1, LIMIT_BYTES))
    ctl = control_page([UUID])
    pod.write_ctl(ctl)
    with _joined(pod) as process:
        assert process.call("tf_reserve", 0, 1) == 0
        ctl.dead_slot[0] = 4
        pod.write_ctl(ctl)
        assert process.call("tf_reserve", 0, 1) == 0
        ctl.dead_slot[0] = 5
        pod.write_ctl(ctl)
        assert process.call("grow", 0, 100) == LIMIT_BYTES


def test_the_agents_word_frees_a_slot_whose_owner_ended_while_it_claimed(pod: PodFolder) -> None:
    half_claimed = _slot(1, 1, _namespace() + 1, LIMIT_BYTES)
    half_claimed.ready_generation = 4
    _write_slots(pod, half_claimed)
    ctl = control_page([UUID])
    ctl.dead_slot[0] = 5
    pod.write_ctl(ctl)
    with _joined(pod) as process:
        assert process.call("tf_held_bytes", 0) == 0
        assert [process.pid] == [slot.pid for slot in pod.read_use().process if slot.pid]


def test_a_living_process_does_not_believe_that_it_is_dead(pod: PodFolder) -> None:
    ctl = control_page([UUID])
    ctl.dead_slot[0] = 1
    pod.write_ctl(ctl)
    with _joined(pod) as process:
        assert process.call("grow", 0, 100) == LIMIT_BYTES
        assert process.call("tf_held_bytes", 0) == LIMIT_BYTES


def test_two_namespaces_of_one_pod_share_its_limit(pod: PodFolder) -> None:
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0:
        lacks("no right to make a PID namespace here")
    with _joined(pod) as outer, PodProcess(pod.root, DEVICES, prefix=NAMESPACE).join() as inner:
        granted = inner.call("tf_reserve", 0, 600) * 600 + outer.call("grow", 0, 100)
        assert granted == LIMIT_BYTES
        assert inner.call("tf_reserve", 0, 1) == 0
        assert len({slot.pid_namespace for slot in pod.read_use().process if slot.pid}) == 2


def test_a_forked_child_has_a_slot_of_its_own(pod: PodFolder) -> None:
    with _joined(pod) as process:
        process.call("tf_reserve", 0, 600)
        assert process.call("forked", 0, 100) == 400
        assert process.call("grow", 0, 100) == 400
        assert process.call("tf_held_bytes", 0) == LIMIT_BYTES


def test_a_program_that_was_replaced_by_exec_holds_nothing(pod: PodFolder) -> None:
    with _joined(pod) as process:
        process.call("tf_reserve", 0, LIMIT_BYTES)
        process.call("exec")
        process.join()
        assert process.call("grow", 0, 100) == LIMIT_BYTES
        assert len([slot for slot in pod.read_use().process if slot.pid]) == 1


def test_a_second_claim_changes_nothing(pod: PodFolder) -> None:
    with _joined(pod) as process:
        process.call("tf_reserve", 0, 600)
        assert process.call("tf_slot_claim") == 1
        assert pod.held_bytes(0) == 600


def test_without_a_free_slot_a_process_is_still_limited(pod: PodFolder) -> None:
    foreign = _namespace() + 1
    _write_slots(pod, *(_slot(7, 7, foreign, 1) for _ in range(MOST_PROCESSES)))
    with PodProcess(pod.root, DEVICES) as process:
        process.call("tf_attach")
        assert process.call("tf_slot_claim") == 0
        assert process.call("grow", 0, 1) == LIMIT_BYTES - MOST_PROCESSES


def test_absurd_numbers_of_a_tenant_do_not_wrap_around(pod: PodFolder) -> None:
    huge = [_slot(7, 7, _namespace() + 1, (1 << 64) - 1) for _ in range(2)]
    _write_slots(pod, *huge)
    with _joined(pod) as process:
        assert process.call("tf_held_bytes", 0) == (1 << 64) - 1
        assert process.call("tf_reserve", 0, 1) == 0
