"""What is in force in a pod: from its control page, else from its environment."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.agent.pages.abi import (
    CTL_BYTES,
    CTL_ENABLED,
    CTL_NO_CONTEXT,
    GPU_NO_TRIM,
    ONE_Q16,
    ONE_Q32,
    USE_BYTES,
    USE_MAGIC,
    Use,
)
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page
from tests.autoscaler.agent.native.pod_process import PodProcess
from tests.components.processes import until

FIRST, SECOND = "GPU-11111111-aaaa", "GPU-22222222-bbbb"
DEVICES = {"NVIDIA_VISIBLE_DEVICES": f"{FIRST},{SECOND}"}
HALF = {"TF_LIMIT_COMPUTE_PERCENT": "50", "TF_LIMIT_VRAM": "1Gi"}
BURST_NS, INFLIGHT_NS = 20_000_000, 50_000_000
UNLIMITED_BYTES = (1 << 64) - 1


@pytest.fixture
def pod(tmp_path: Path) -> PodFolder:
    return PodFolder(tmp_path / "tensor-fusion")


def test_the_page_of_use_is_made_once_and_everybody_may_write_it(pod: PodFolder) -> None:
    with PodProcess(pod.root, DEVICES | HALF) as first:
        assert first.attach() == "without ctl"
        inode = pod.use_file.stat().st_ino
        with PodProcess(pod.root, DEVICES | HALF) as second:
            second.attach()
    status = pod.use_file.stat()
    assert (inode, USE_BYTES, 0o666) == (
        status.st_ino, status.st_size, stat.S_IMODE(status.st_mode)
    )  # fmt: skip
    assert pod.read_use().magic == USE_MAGIC
    assert [pod.use_file] == list(pod.use_file.parent.iterdir())


def test_racing_processes_make_one_page_of_use(pod: PodFolder) -> None:
    processes = [PodProcess(pod.root, DEVICES | HALF) for _ in range(8)]
    for process in processes:
        process.send("tf_attach")
    for process in processes:
        process.answer()
        assert process.call("tf_slot_claim") == 1
    claimed = {slot.pid for slot in pod.read_use().process if slot.pid}
    assert {process.pid for process in processes} == claimed
    for process in processes:
        process.kill()


def test_a_control_page_that_is_there_is_in_force(pod: PodFolder) -> None:
    ctl = control_page([FIRST, SECOND])
    ctl.gpu[1].share_q32 = ONE_Q32 // 4
    ctl.gpu[1].trim_k_q16 = ONE_Q16 * 2
    ctl.gpu[1].burst_ns = 5_000_000
    ctl.gpu[1].inflight_ns = 7_000_000
    ctl.gpu[1].memory_limit_bytes = 12345
    pod.write_ctl(ctl)
    with PodProcess(pod.root, DEVICES | HALF) as process:
        assert process.attach() == "attached"
        assert process.terms(1) == (ONE_Q32 // 4, ONE_Q16 * 2, 5_000_000, 7_000_000)
        assert process.call("tf_memory_limit_bytes", 1) == 12345


def test_what_the_control_page_does_not_set_stays_as_admitted(pod: PodFolder) -> None:
    pod.write_ctl(control_page([FIRST, SECOND]))
    with PodProcess(pod.root, DEVICES | HALF) as process:
        process.attach()
        assert process.terms(0) == (ONE_Q32 // 2, ONE_Q16, BURST_NS, INFLIGHT_NS)
        assert process.call("tf_memory_limit_bytes", 0) == 2**30


def test_zero_everywhere_is_never_unlimited_work(pod: PodFolder) -> None:
    pod.ctl_file.write_bytes(bytes(CTL_BYTES))
    with PodProcess(pod.root, DEVICES | HALF) as process:
        assert process.attach() == "without ctl"
        assert process.share(0) == 0.5
        assert "no control page of version 1" in process.end()


def test_limits_that_are_switched_off_hold_nothing(pod: PodFolder) -> None:
    ctl = control_page([FIRST], flags=0)
    ctl.gpu[0].share_q32 = ONE_Q32 // 4
    ctl.gpu[0].memory_limit_bytes = 1
    pod.write_ctl(ctl)
    with PodProcess(pod.root, DEVICES) as process:
        process.attach()
        assert process.share(0) == 1.0
        assert process.call("tf_memory_limit_bytes", 0) == UNLIMITED_BYTES


def test_a_card_without_time_slices_is_not_trimmed(pod: PodFolder) -> None:
    ctl = control_page([FIRST])
    ctl.gpu[0].trim_k_q16, ctl.gpu[0].flags = ONE_Q16 * 2, GPU_NO_TRIM
    pod.write_ctl(ctl)
    with PodProcess(pod.root, DEVICES) as process:
        process.attach()
        assert process.terms(0)[1] == ONE_Q16


@pytest.mark.parametrize(
    ("heartbeat_s", "flags", "told"),
    [(3600, 0, ONE_Q32 // 2), (-2, 0, 0), (3600, GPU_NO_TRIM, 0)],
    ids=["agent is there", "agent is gone", "no time slices"],
)
def test_what_others_leave_is_known_while_an_agent_tells_it(
    pod: PodFolder, heartbeat_s: int, flags: int, told: int
) -> None:
    ctl = control_page([FIRST])
    ctl.gpu[0].left_q32, ctl.gpu[0].flags = ONE_Q32 // 2, flags
    ctl.heartbeat_ns = time.monotonic_ns() + heartbeat_s * 10**9
    pod.write_ctl(ctl)
    with PodProcess(pod.root, DEVICES) as process:
        process.attach()
        assert process.left_q32(0) == told


def test_contexts_count_unless_the_control_page_says_otherwise(pod: PodFolder) -> None:
    with PodProcess(pod.root, DEVICES | HALF) as process:
        process.attach()
        assert process.call("tf_counts_contexts") == 1
    pod.write_ctl(control_page([FIRST], flags=CTL_ENABLED | CTL_NO_CONTEXT))
    with PodProcess(pod.root, DEVICES | HALF) as process:
        process.attach()
        assert process.call("tf_counts_contexts") == 0


def test_a_changed_limit_is_in_force_at_once(pod: PodFolder) -> None:
    ctl = control_page([FIRST])
    ctl.gpu[0].share_q32 = ONE_Q32 // 4
    pod.write_ctl(ctl)
    with PodProcess(pod.root, DEVICES) as process:
        process.attach()
        assert process.share(0) == 0.25
        ctl.gpu[0].share_q32 = ONE_Q32 // 8
        pod.write_ctl(ctl)
        assert process.share(0) == 0.125


def test_a_late_control_page_is_found(pod: PodFolder) -> None:
    with PodProcess(pod.root, DEVICES | HALF) as process:
        assert process.attach() == "without ctl"
        ctl = control_page([SECOND, FIRST])
        ctl.gpu[1].share_q32 = ONE_Q32 // 4
        pod.write_ctl(ctl)
        until(lambda: process.share(0) == 0.25, what="the late page is in force")
        assert process.call("tf_gpu_index", FIRST) == 0


def test_a_process_waits_for_the_control_page(pod: PodFolder) -> None:
    with PodProcess(pod.root, DEVICES | HALF | {"TF_CTL_WAIT": "60"}) as process:
        process.send("tf_attach")
        until(pod.use_file.exists, what="the process has begun to attach")
        pod.write_ctl(control_page([FIRST]))
        assert process.answer() == 0


def test_a_pod_that_has_waited_is_not_waited_for_again(pod: PodFolder) -> None:
    with PodProcess(pod.root, DEVICES | HALF) as first:
        first.attach()
    use = pod.read_use()
    use.created_ns = 1
    pod.write_use(use)
    with PodProcess(pod.root, DEVICES | HALF | {"TF_CTL_WAIT": "500m"}) as second:
        assert second.attach() == "without ctl"


@pytest.mark.parametrize(
    ("environment", "share"),
    [
        ({"TF_LIMIT_COMPUTE_PERCENT": "12500m"}, 0.125),
        ({"TF_LIMIT_TFLOPS": "250", "TF_GPU_PEAK_TFLOPS": "1000"}, 0.25),
        ({"TF_LIMIT_TFLOPS": "2k", "TF_GPU_PEAK_TFLOPS": "1000"}, 1.0),
        (
            {"TF_LIMIT_TFLOPS": "250", "TF_GPU_PEAK_TFLOPS": "1k", "TF_LIMIT_COMPUTE_PERCENT": "5"},
            0.05,
        ),
        ({"TF_LIMIT_COMPUTE_PERCENT": "", "TF_LIMIT_VRAM": "1Gi"}, 1.0),
    ],
)
def test_limits_of_the_environment(
    pod: PodFolder, environment: dict[str, str], share: float
) -> None:
    with PodProcess(pod.root, DEVICES | environment) as process:
        process.attach()
        assert share == pytest.approx(process.share(0), abs=1e-9)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TF_LIMIT_VRAM": "16GB"}, 'TF_LIMIT_VRAM="16GB" is no Kubernetes quantity'),
        ({"TF_LIMIT_TFLOPS": "30"}, "TF_LIMIT_TFLOPS is set without TF_GPU_PEAK_TFLOPS"),
        ({"TF_CTL_WAIT": "soon"}, 'TF_CTL_WAIT="soon" is no number of seconds'),
    ],
)
def test_what_cannot_be_read_in_the_environment_is_said(
    pod: PodFolder, environment: dict[str, str], said: str
) -> None:
    pod.write_ctl(control_page([FIRST]))
    with PodProcess(pod.root, DEVICES | environment) as process:
        process.attach()
        assert said in process.end()


def test_a_process_that_is_no_worker_is_left_alone(tmp_path: Path) -> None:
    with PodProcess(tmp_path) as process:
        assert process.attach() == "unlimited"
        assert process.share(0) == 1.0
        assert process.call("tf_memory_limit_bytes", 0) == UNLIMITED_BYTES


def test_without_any_page_the_limits_of_the_environment_hold_for_the_process(
    tmp_path: Path,
) -> None:
    with PodProcess(tmp_path, DEVICES | HALF) as process:
        assert process.attach() == "without ctl"
        assert process.call("tf_slot_claim") == 1
        assert (
            process.call("tf_reserve", 0, 2**30 + 1),
            process.call("grow", 0, 2**20),
        ) == (0, 2**30)


@pytest.mark.parametrize("missing", ["ctl", "use"])
def test_strict_processes_are_refused_without_their_pages(pod: PodFolder, missing: str) -> None:
    if missing == "use":
        pod.write_ctl(control_page([FIRST]))
        pod.use_file.write_bytes(b"short")
    with PodProcess(pod.root, DEVICES | HALF | {"TF_STRICT": "1"}) as process:
        assert process.attach() == "refused"
        assert f"/{missing}/{missing} cannot be used" in process.end()


def test_gpus_are_those_of_the_pod_in_its_order(pod: PodFolder) -> None:
    with PodProcess(pod.root, DEVICES | HALF) as process:
        process.attach()
        indices = [process.call("tf_gpu_index", uuid) for uuid in (FIRST, SECOND, "GPU-3", "")]
    assert indices == [0, 1, -1, -1]


def test_a_list_of_devices_without_uuids_is_that_of_the_control_page(pod: PodFolder) -> None:
    with PodProcess(pod.root, HALF | {"NVIDIA_VISIBLE_DEVICES": "all"}) as process:
        process.attach()
        assert process.call("tf_gpu_index", SECOND) == -1
        pod.write_ctl(control_page([FIRST, SECOND]))
        until(
            lambda: process.call("tf_memory_limit_bytes", 1) == 2**30,
            what="the late page is found",
        )
        assert process.call("tf_gpu_index", SECOND) == 1


def _link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(_link, id="symbolic link"),
        pytest.param(_fifo, id="fifo"),
        pytest.param(lambda path: path.mkdir(), id="folder"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(bytes(USE_BYTES)), id="zeros"),
        pytest.param(lambda path: path.write_bytes(bytes(2 * USE_BYTES)), id="too long"),
    ],
)
def test_an_odd_page_of_use_limits_each_process_by_itself(pod: PodFolder, hostile: object) -> None:
    assert callable(hostile)
    hostile(pod.use_file)
    with PodProcess(pod.root, DEVICES | HALF) as process:
        assert process.attach() == "without ctl"
        process.call("tf_slot_claim")
        assert process.call("grow", 0, 2**20) == 2**30
        assert "no page of use of version 1" in process.end()


def test_a_page_of_another_version_is_not_read(pod: PodFolder) -> None:
    ctl = control_page([FIRST])
    ctl.abi_version = 2
    ctl.gpu[0].share_q32 = 1
    pod.write_ctl(ctl)
    with PodProcess(pod.root, DEVICES | HALF) as process:
        assert process.attach() == "without ctl"
        assert process.share(0) == 0.5


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(min_size=64, max_size=2048), place=st.integers(16, 2048))
def test_no_content_of_a_page_makes_a_process_fail(
    tmp_path: Path, noise: bytes, place: int
) -> None:
    pod = PodFolder(tmp_path / os.urandom(8).hex())
    page = bytearray(bytes(control_page([FIRST])).ljust(CTL_BYTES, b"\0"))
    page[place : place + len(noise)] = noise[: CTL_BYTES - place]
    pod.ctl_file.write_bytes(page)
    use = bytearray(bytes(Use(magic=USE_MAGIC, abi_version=1, size_bytes=USE_BYTES)))
    use.extend(bytes(USE_BYTES - len(use)))
    use[16 : 16 + len(noise)] = noise
    use[-len(noise) :] = noise
    pod.use_file.write_bytes(use)
    with PodProcess(pod.root, DEVICES | HALF) as process:
        assert process.attach() == "attached"
        process.call("tf_slot_claim")
        for gpu in (-1, 0, 1, 15, 16):
            share = process.terms(gpu)[0]
            assert 0 < share <= ONE_Q32
            assert 0 <= process.call("tf_held_bytes", gpu) <= UNLIMITED_BYTES
            process.call("tf_reserve", gpu, 1)
