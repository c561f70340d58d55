"""Workers as the status of a workload counts and lists them."""

from autoscaler.api.names import API_VERSION
from autoscaler.workloads.generation.workload_workers import (
    MOST_LISTED,
    counts_of,
    worker_statuses,
    workers_of,
)
from tests.autoscaler.workloads.objects import HOSTNAME, made, owned, placed, pod, worker

READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def ready(obj):
    return {**obj, "status": {**obj["status"], **READY}}


def test_workers_that_ended_or_go_do_not_count_as_there():
    workers = [
        ready(placed("a")),
        placed("b"),
        worker("c"),
        ready(placed("d", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})),
        placed("e", phase="Failed"),
        placed("f", phase="Succeeded"),
    ]
    found = counts_of(workers)
    assert (found.live, found.ready, found.failed, found.succeeded) == (3, 1, 1, 1)


def test_only_workers_are_workers_and_stand_in_order_of_their_names():
    client = worker("c", labels={"tensor-fusion.ai/component": "client"})
    assert [
        each["metadata"]["name"] for each in workers_of([worker("b"), client, worker("a")])
    ] == [
        "a",
        "b",
    ]


def test_a_worker_is_listed_with_its_phase_and_where_it_runs():
    workers = [placed("a", node="n1"), worker("b"), placed("c", phase="Succeeded")]
    assert worker_statuses(workers) == [
        {"workerName": "a", "workerPhase": "Running", "nodeSelector": {HOSTNAME: "n1"}},
        {"workerName": "b", "workerPhase": "Pending"},
    ]


def test_a_worker_pod_is_listed_with_its_address():
    owner = made("TensorFusionWorkload", "web", api_version=API_VERSION)
    obj = owned(placed("a"), owner)
    obj["spec"]["containers"] = [{"name": "main", "ports": [{"containerPort": 8000}]}]
    obj["status"]["podIP"] = "10.0.0.7"
    [entry] = worker_statuses([obj])
    assert (entry["workerIp"], entry["workerPort"]) == ("10.0.0.7", 8000)


def test_not_more_workers_are_listed_than_the_status_may_hold():
    assert len(worker_statuses([worker(str(i)) for i in range(MOST_LISTED + 1)])) == MOST_LISTED


def test_a_pod_that_is_none_of_ours_is_no_worker():
    assert workers_of([pod()]) == ()
