import pytest

from autoscaler.scaling.live.kept import kept_of_worker
from autoscaler.scaling.live.viewing.worker_state import worker_state_of
from tests.autoscaler.scaling.live.live_objects import GIB, in_force, worker

CREATED_S = 1_767_225_600


def state(pod):
    return worker_state_of(kept_of_worker(pod))


def test_a_placed_worker_has_what_its_annotations_say():
    found = state(worker(gpus=("GPU-1", "GPU-2"), ready_s=90))
    assert found.gpus == ("gpu-1", "gpu-2")
    assert dict(found.in_force.request) == {"tflops": 10.0, "vram_bytes": 4 * GIB}
    assert dict(found.in_force.limit) == {"tflops": 20.0, "vram_bytes": 8 * GIB}
    assert dict(found.peak) == {"tflops": 100.0, "vram_bytes": 80 * GIB}
    assert (found.started_s, found.ready_s) == (CREATED_S + 60, CREATED_S + 90)
    assert found.runs


def test_a_worker_that_waits_for_its_gpus_does_not_run():
    found = state(worker(gpus=()))
    assert (found.gpus, found.started_s, found.ready_s) == ((), -1, None)
    assert found.is_live
    assert not found.runs


def test_a_worker_that_terminates_does_not_run():
    found = state(worker(metadata={"deletionTimestamp": "2026-01-01T01:00:00Z"}))
    assert found.is_terminating
    assert not found.is_live
    assert not found.runs


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_worker_that_ended_does_not_run(phase):
    pod = worker()
    pod["status"]["phase"] = phase
    assert not state(pod).runs


def test_a_worker_that_is_no_longer_ready_is_not_ready():
    pod = worker(ready_s=90)
    pod["status"]["conditions"][0]["status"] = "False"
    assert state(pod).ready_s is None


def test_a_request_that_is_not_stated_is_the_limit():
    found = state(worker(amounts=in_force(tflops_limit="20")))
    assert dict(found.in_force.request) == {"tflops": 20.0}


def test_percent_stay_percent_until_a_gpu_is_known():
    found = state(worker(amounts=in_force(compute_percent_limit="25")))
    assert dict(found.in_force.limit) == {"tflops_pct": 25.0}


def test_what_cannot_be_read_is_left_out_and_named():
    found = state(worker(amounts=in_force(tflops_limit="ten", vram_limit="8Gi")))
    assert dict(found.in_force.limit) == {"vram_bytes": 8 * GIB}
    assert found.in_force.problem.startswith("annotation tensor-fusion.ai/tflops-limit: 'ten' is")


def test_a_pod_that_names_no_workload_is_no_worker():
    pod = worker()
    del pod["metadata"]["labels"]["tensor-fusion.ai/workload"]
    assert state(pod) is None


def test_nothing_of_a_pod_is_kept_that_nobody_reads():
    pod = worker(annotations={"example.test/secret": "hidden"}, labels={"app": "chat"})
    assert "hidden" not in str(kept_of_worker(pod))
    assert "app" not in kept_of_worker(pod)["metadata"]["labels"]
    assert "spec" not in kept_of_worker(pod)


def test_a_heartbeat_of_a_pod_makes_no_other_worker():
    pod, later = worker(ready_s=90), worker(ready_s=90)
    later["status"]["conditions"][0]["lastProbeTime"] = "2026-01-01T02:00:00Z"
    assert pod["metadata"]["resourceVersion"] != later["metadata"]["resourceVersion"]
    assert state(pod) == state(later)
