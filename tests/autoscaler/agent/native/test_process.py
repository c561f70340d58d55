"""A process attaches at its first hooked call, again after fork, and leaves at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from autoscaler.agent.pages.abi import ONE_Q32
from tests.autoscaler.agent.native.hooked_process import UUIDS, HookedProcess
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page

KERNEL = 0x1000
STREAM = 0x2000
NOT_PERMITTED = 800


def pod_with(folder: Path, uuids: Sequence[str], *, share: float = 1.0) -> PodFolder:
    pod = PodFolder(folder / "pod")
    ctl = control_page(uuids)
    for gpu in ctl.gpu[: len(uuids)]:
        gpu.share_q32 = round(ONE_Q32 * share)
    pod.write_ctl(ctl)
    return pod


def launch(process: HookedProcess) -> int:
    return process.call("cuLaunchKernel", KERNEL, 1, 1, 1, 1, 1, 1, 0, STREAM, 0, 0)


def living(pod: PodFolder) -> list[int]:
    return [slot.pid for slot in pod.read_use().process if slot.pid]


def test_a_process_that_calls_nothing_leaves_no_trace(tmp_path):
    pod = pod_with(tmp_path, UUIDS[:1])
    with HookedProcess(pod.root) as process:
        assert process.calls("cuInit") == 0
        assert not pod.use_file.exists()


def test_the_first_call_attaches_and_the_end_lets_go(tmp_path):
    pod = pod_with(tmp_path, UUIDS[:1])
    with HookedProcess(pod.root) as process:
        assert process.call("cuInit", 0) == 0
        assert len(living(pod)) == 1
        assert process.finish() == (0, "")
    assert living(pod) == []


def test_what_was_counted_is_published_at_the_end(tmp_path):
    pod = pod_with(tmp_path, UUIDS[:1])
    with HookedProcess(pod.root) as process:
        for _ in range(7):
            launch(process)
        process.finish()
    counted = pod.read_use().gpu[0]
    assert counted.launches == 7
    assert counted.charged_ns > 0


def test_the_device_time_of_a_process_is_in_its_own_place(tmp_path):
    pod = pod_with(tmp_path, UUIDS[:1])
    with HookedProcess(pod.root) as process:
        for _ in range(3):
            launch(process)
        process.call("cuCtxSynchronize")
        (own,) = [slot for slot in pod.read_use().process if slot.pid]
        assert own.charged_ns == pod.read_use().gpu[0].charged_ns > 0


def test_a_process_without_pages_and_limits_passes_and_says_so_once(tmp_path):
    root = tmp_path / "absent"
    with HookedProcess(root) as process:
        for _ in range(3):
            assert process.call("cuInit", 0) == 0
        assert launch(process) == 0
        assert process.calls("cuEventRecord") == 0
        status, said = process.finish()
    assert status == 0
    (line,) = said.splitlines()
    assert line.startswith(f"tensor-fusion: {root} has no pages of a worker (TF_ROOT names another")
    assert line.endswith("uses CUDA without limits; TF_STRICT=1 refuses that")


def test_a_process_without_pages_and_limits_that_does_not_start_cuda_says_nothing(tmp_path):
    with HookedProcess(tmp_path / "absent") as process:
        assert process.call("cuCtxSynchronize") == 0
        assert process.finish() == (0, "")


def test_a_process_that_a_limit_in_its_environment_holds_says_nothing(tmp_path):
    limits = {"TF_LIMIT_COMPUTE_PERCENT": "50"}
    with HookedProcess(tmp_path / "absent", environment=limits) as process:
        assert process.call("cuInit", 0) == 0
        assert process.finish() == (0, "")


def test_a_strict_process_without_a_control_page_does_not_start_cuda(tmp_path):
    pod = PodFolder(tmp_path / "pod")
    with HookedProcess(pod.root, {"TF_STRICT": "1"}) as process:
        assert process.call("cuInit", 0) == NOT_PERMITTED
        assert process.calls("cuInit") == 0
        _status, said = process.finish()
    assert "TF_STRICT" in said


def test_a_child_after_fork_has_a_place_of_its_own(tmp_path):
    pod = pod_with(tmp_path, UUIDS[:1])
    with HookedProcess(pod.root) as process:
        launch(process)
        (parent,) = living(pod)
        child, status = process.ask(
            "pid_of_child", "cuLaunchKernel", KERNEL, 1, 1, 1, 1, 1, 1, 0, STREAM, 0, 0
        )
        assert status == 0
        assert child in {slot.pid for slot in pod.read_use().process}
        assert parent in living(pod)
        launch(process)
        process.finish()
    assert pod.read_use().gpu[0].launches >= 2


@pytest.mark.parametrize("device", [0, 1, 2])
def test_a_launch_counts_on_the_gpu_of_its_context(tmp_path, device):
    pod = pod_with(tmp_path, [UUIDS[2], UUIDS[0], UUIDS[1]])
    with HookedProcess(pod.root) as process:
        process.ask("set", "stub_devices", 3)
        process.ask("set", "stub_current_device", device)
        launch(process)
        process.finish()
    counted = [gpu.launches for gpu in pod.read_use().gpu[:3]]
    assert [int(index == (device + 1) % 3) for index in range(3)] == counted


def test_a_gpu_that_is_not_the_pod_s_is_left_alone(tmp_path):
    pod = pod_with(tmp_path, UUIDS[1:2], share=0.01)
    with HookedProcess(pod.root) as process:
        for _ in range(50):
            launch(process)
        assert process.calls("cuEventRecord") == 0
        process.finish()
    assert pod.read_use().gpu[0].launches == 0


def test_a_mig_instance_is_found_by_its_own_name(tmp_path):
    pod = pod_with(tmp_path, [UUIDS[0].replace("GPU-", "MIG-")])
    with HookedProcess(pod.root) as process:
        launch(process)
        process.finish()
    assert pod.read_use().gpu[0].launches == 1


def test_sixteen_gpus_are_kept_apart(tmp_path):
    pod = pod_with(tmp_path, UUIDS)
    with HookedProcess(pod.root) as process:
        process.ask("set", "stub_devices", len(UUIDS))
        for device in range(len(UUIDS)):
            process.ask("set", "stub_current_device", device)
            for _ in range(device + 1):
                launch(process)
        process.finish()
    counted = [gpu.launches for gpu in pod.read_use().gpu[: len(UUIDS)]]
    assert [device + 1 for device in range(len(UUIDS))] == counted


@pytest.mark.parametrize(
    ("exported", "arguments"),
    [
        ("cuLaunch", (KERNEL,)),
        ("cuLaunchGrid", (KERNEL, 1, 1)),
        ("cuLaunchGridAsync", (KERNEL, 1, 1, STREAM)),
        ("cuLaunchKernel_ptsz", (KERNEL, 1, 1, 1, 1, 1, 1, 0, STREAM, 0, 0)),
        ("cuLaunchCooperativeKernel", (KERNEL, 1, 1, 1, 1, 1, 1, 0, STREAM, 0)),
        ("cuLaunchCooperativeKernel_ptsz", (KERNEL, 1, 1, 1, 1, 1, 1, 0, STREAM, 0)),
        ("cuGraphLaunch", (0x6000, STREAM)),
        ("cuGraphLaunch_ptsz", (0x6000, STREAM)),
        ("cuMemsetD8_v2", (0x7000, 1, 4096)),
        ("cuMemsetD32Async", (0x7000, 1, 4096, STREAM)),
        ("cuMemsetD2D16Async_ptsz", (0x7000, 64, 1, 16, 16, STREAM)),
        ("cuMemcpyDtoD_v2", (0x7000, 0x8000, 4096)),
        ("cuMemcpyDtoDAsync_v2_ptsz", (0x7000, 0x8000, 4096, STREAM)),
        ("cuMemcpyAsync", (0x7000, 0x8000, 4096, STREAM)),
    ],
)
def test_every_kind_of_work_is_counted(tmp_path, exported, arguments):
    pod = pod_with(tmp_path, UUIDS[:1])
    with HookedProcess(pod.root) as process:
        assert process.call(exported, *arguments) == 0
        process.finish()
    assert pod.read_use().gpu[0].launches == 1


@pytest.mark.parametrize("exported", ["cuLaunchKernelEx", "cuLaunchKernelEx_ptsz"])
def test_a_launch_by_its_configuration_is_counted(tmp_path, exported):
    pod = pod_with(tmp_path, UUIDS[:1])
    with HookedProcess(pod.root) as process:
        process.call(exported, process.ask("buffers")[0], KERNEL, 0, 0)
        process.finish()
    assert pod.read_use().gpu[0].launches == 1


def test_a_launch_that_the_driver_refuses_is_given_back(tmp_path):
    pod = pod_with(tmp_path, UUIDS[:1], share=0.5)
    with HookedProcess(pod.root) as process:
        process.ask("answer", "cuLaunchKernel", 719)
        assert launch(process) == 719
        process.finish()
    assert pod.read_use().gpu[0].charged_ns == 0


def test_a_copy_that_the_host_takes_part_in_is_not_metered(tmp_path):
    pod = pod_with(tmp_path, UUIDS[:1])
    with HookedProcess(pod.root) as process:
        process.call("cuInit", 0)
        process.ask("answer", "cuPointerGetAttribute", 1)
        assert process.call("cuMemcpyAsync", 0x7000, 0x8000, 4096, STREAM) == 0
        process.finish()
    assert pod.read_use().gpu[0].launches == 0


def test_a_cooperative_launch_over_two_gpus_is_counted_on_each(tmp_path):
    pod = pod_with(tmp_path, UUIDS[:1])
    with HookedProcess(pod.root) as process:
        parts = process.ask("buffers")[0]
        process.call("cuLaunchCooperativeKernelMultiDevice", parts, 2, 0)
        assert process.calls("cuCtxPushCurrent_v2") == process.calls("cuCtxPopCurrent_v2") > 0
        process.finish()
    assert pod.read_use().gpu[0].launches == 2
