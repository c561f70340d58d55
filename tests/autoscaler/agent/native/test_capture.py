"""Stream capture goes on as if the limiter were not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from autoscaler.agent.pages.abi import ONE_Q32
from tests.autoscaler.agent.native.hooked_process import UUIDS, HookedProcess
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page

KERNEL = 0x1000
STREAM = 0x2000
ILLEGAL_STATE, INVALIDATED = 401, 901
CAPTURES = 1
OWN_CALLS = ("cuEventRecord", "cuEventQuery", "cuEventCreate", "cuEventElapsedTime")


@pytest.fixture
def pod(tmp_path) -> PodFolder:
    pod = PodFolder(tmp_path / "pod")
    ctl = control_page(UUIDS[:1])
    ctl.gpu[0].share_q32 = ONE_Q32 * 9 // 10
    pod.write_ctl(ctl)
    return pod


@pytest.fixture
def worker(pod) -> Iterator[HookedProcess]:
    with HookedProcess(pod.root) as process:
        yield process


def launch(process: HookedProcess) -> int:
    return process.call("cuLaunchKernel", KERNEL, 1, 1, 1, 1, 1, 1, 0, STREAM, 0, 0)


def test_a_launch_outside_of_captures_asks_nothing_about_them(worker):
    launch(worker)
    assert worker.calls("cuStreamIsCapturing") == 0


def test_a_captured_launch_is_neither_charged_nor_measured(pod):
    with HookedProcess(pod.root) as process:
        process.call("cuStreamBeginCapture_v2", STREAM, 0)
        process.ask("set", "stub_capturing", CAPTURES)
        for _ in range(10):
            launch(process)
        assert [process.calls(name) for name in OWN_CALLS] == [0, 0, 0, 0]
        assert process.calls("cuLaunchKernel") == 10
        process.finish()
    use = pod.read_use().gpu[0]
    assert (use.launches, use.charged_ns) == (0, 0)


def test_a_launch_into_another_stream_is_counted_during_a_capture(pod):
    with HookedProcess(pod.root) as process:
        process.call("cuStreamBeginCapture_v2", STREAM, 0)
        launch(process)
        assert process.calls("cuStreamIsCapturing") == 1
        process.finish()
    assert pod.read_use().gpu[0].launches == 1


def test_a_stream_that_may_not_be_asked_is_left_alone(worker):
    worker.call("cuStreamBeginCapture_v2", STREAM, 0)
    worker.ask("answer", "cuStreamIsCapturing", 906)
    launch(worker)
    assert worker.calls("cuEventRecord") == 0


@pytest.mark.parametrize("result", [0, INVALIDATED])
def test_an_ended_capture_is_forgotten(worker, result):
    worker.call("cuStreamBeginCapture_v2", STREAM, 0)
    worker.ask("answer", "cuStreamEndCapture", result)
    assert worker.call("cuStreamEndCapture", STREAM, worker.ask("buffers")[0]) == result
    launch(worker)
    assert worker.calls("cuStreamIsCapturing") == 0


def test_a_capture_whose_end_was_refused_goes_on(worker):
    worker.call("cuStreamBeginCapture_v2", STREAM, 0)
    worker.ask("answer", "cuStreamEndCapture", ILLEGAL_STATE)
    worker.call("cuStreamEndCapture", STREAM, worker.ask("buffers")[0])
    launch(worker)
    assert worker.calls("cuStreamIsCapturing") == 1


def test_a_capture_that_did_not_begin_does_not_count(worker):
    worker.ask("answer", "cuStreamBeginCapture_v2", ILLEGAL_STATE)
    assert worker.call("cuStreamBeginCapture_v2", STREAM, 0) == ILLEGAL_STATE
    launch(worker)
    assert worker.calls("cuStreamIsCapturing") == 0


def test_every_own_call_stands_between_two_changes_of_the_capture_mode(worker):
    for _ in range(50):
        launch(worker)
    worker.call("cuCtxSynchronize")
    own = sum(worker.calls(name) for name in OWN_CALLS)
    assert own > 0
    assert worker.calls("cuThreadExchangeStreamCaptureMode") >= 2 * own


def test_a_launch_of_the_thread_s_form_is_measured_by_events_of_that_form(worker):
    worker.call("cuLaunchKernel_ptsz", KERNEL, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0)
    assert worker.calls("cuEventRecord_ptsz") > 0
    assert worker.calls("cuEventRecord") == 0
