"""Two processes that write the status of one object, each its own part."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscaler.api.names import Condition, FieldManager
from autoscaler.errors import ConflictError, NotFoundError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.condition import condition, find_condition
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.status_apply import StatusOwner, apply_status
from tests.cluster.definitions import created, custom_object, install_definitions
from tests.components.processes import until

CONTROLLER = StatusOwner(
    field_manager=FieldManager.CONTROLLER,
    fields=frozenset({"phase", "workerCount"}),
    conditions=frozenset({Condition.READY, Condition.DESIRED_APPLIED}),
)
AUTOSCALER = StatusOwner(
    field_manager=FieldManager.AUTOSCALER,
    fields=frozenset({"recommendation", "desiredResources"}),
    conditions=frozenset({Condition.STALE_METRICS, Condition.RECOMMENDATION_PROVIDED}),
)
EARLY_S, LATE_S = 1_767_225_600.0, 1_767_229_200.0
DESIRED = {
    "epoch": 7,
    "sequence": 1,
    "time": "2026-01-01T00:00:00Z",
    "requests": {"tflops": "3", "vram": "4Gi"},
    "byGPUModel": {"H100": {"requests": {"tflops": "5"}}},
}


@pytest.fixture(scope="module")
def plane(control_plane):
    install_definitions(control_plane)
    return control_plane


@pytest.fixture
def api(plane):
    return ApiServer.from_environment(
        kubeconfig=plane.admin_kubeconfig, user_agent="test-status-apply"
    )


@pytest.fixture
def workload(plane, namespace):
    return created(plane, namespace, custom_object({}, "TensorFusionWorkload"))


def shown(api, workload):
    metadata = workload["metadata"]
    return api.get(WORKLOADS, metadata["name"], metadata["namespace"])


def cond(obj, kind, *, is_true, reason="Because", now_s=EARLY_S):
    return condition(obj, kind, is_true=is_true, reason=reason, now_s=now_s)


def statuses(obj):
    return {each["type"]: each["status"] for each in obj["status"]["conditions"]}


def by_controller(api, obj, *, workers=2, is_ready=True, now_s=EARLY_S):
    ready = cond(obj, Condition.READY, is_true=is_ready, now_s=now_s)
    status = {"phase": "Running", "workerCount": workers, "conditions": [ready]}
    return apply_status(api, WORKLOADS, obj, status, CONTROLLER)


def by_autoscaler(api, obj, **fields):
    stale = cond(obj, Condition.STALE_METRICS, is_true=False)
    return apply_status(api, WORKLOADS, obj, {"conditions": [stale], **fields}, AUTOSCALER)


def test_two_writers_keep_their_own_fields_and_conditions(api, workload):
    assert by_controller(api, workload)
    assert by_autoscaler(api, shown(api, workload), desiredResources=DESIRED)
    assert by_controller(api, shown(api, workload), is_ready=False)

    now = shown(api, workload)
    assert statuses(now) == {"Ready": "False", "StaleMetrics": "False"}
    assert (now["status"]["phase"], now["status"]["desiredResources"]) == ("Running", DESIRED)


def test_what_the_server_shows_of_a_write_is_not_written_again(api, workload):
    by_controller(api, workload)
    by_autoscaler(api, shown(api, workload), desiredResources=DESIRED)
    before = shown(api, workload)

    assert not by_controller(api, before, now_s=LATE_S)
    assert not by_autoscaler(api, before, desiredResources=DESIRED)
    assert (
        shown(api, workload)["metadata"]["resourceVersion"]
        == (before["metadata"]["resourceVersion"])
    )


def test_what_a_writer_leaves_out_is_removed_and_the_rest_stays(api, workload):
    by_controller(api, workload)
    by_autoscaler(api, shown(api, workload), desiredResources=DESIRED, recommendation={})
    both = shown(api, workload)
    assert by_autoscaler(api, both, recommendation={})
    assert "desiredResources" not in shown(api, workload)["status"]

    assert apply_status(api, WORKLOADS, shown(api, workload), {}, AUTOSCALER)
    now = shown(api, workload)
    assert statuses(now) == {"Ready": "True"}
    assert now["status"]["workerCount"] == 2


def test_the_only_writer_may_take_back_all_that_it_wrote(api, workload):
    apply_status(api, WORKLOADS, workload, {"desiredResources": DESIRED}, AUTOSCALER)

    assert apply_status(api, WORKLOADS, shown(api, workload), {}, AUTOSCALER)

    assert "status" not in shown(api, workload)
    assert not apply_status(api, WORKLOADS, shown(api, workload), {}, AUTOSCALER)


def test_the_time_of_a_condition_moves_with_its_status_alone(api, workload):
    by_controller(api, workload)
    first = shown(api, workload)
    reason = cond(first, Condition.READY, is_true=True, reason="Other", now_s=LATE_S)
    status = {"phase": "Running", "workerCount": 2, "conditions": [reason]}
    assert apply_status(api, WORKLOADS, first, status, CONTROLLER)
    same = find_condition(shown(api, workload), Condition.READY)
    assert (same["reason"], same["lastTransitionTime"]) == ("Other", "2026-01-01T00:00:00Z")

    by_controller(api, shown(api, workload), is_ready=False, now_s=LATE_S)
    changed = find_condition(shown(api, workload), Condition.READY)
    assert changed["lastTransitionTime"] == "2026-01-01T01:00:00Z"


def test_a_value_that_somebody_else_wrote_is_taken_back(api, workload):
    by_controller(api, workload)
    metadata = workload["metadata"]
    api.merge_patch(
        WORKLOADS,
        metadata["name"],
        {"status": {"phase": "Failed"}},
        metadata["namespace"],
        subresource="status",
    )
    assert by_controller(api, shown(api, workload))
    assert shown(api, workload)["status"]["phase"] == "Running"


def test_many_writes_of_two_writers_at_once_lose_nothing(api, workload):
    def by_both(turn):
        by_controller(api, shown(api, workload), workers=turn)
        by_autoscaler(api, shown(api, workload), desiredResources={**DESIRED, "sequence": turn})

    def write_at_last(turn):
        while True:
            try:
                by_both(turn)
            except ConflictError:
                continue
            return

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write_at_last, range(10)))
    write_at_last(11)
    now = shown(api, workload)["status"]
    assert (now["workerCount"], now["desiredResources"]["sequence"]) == (11, 11)
    assert statuses(shown(api, workload)) == {"Ready": "True", "StaleMetrics": "False"}


def test_a_writer_that_saw_an_older_version_writes_nothing(api, workload):
    by_autoscaler(api, workload, desiredResources={**DESIRED, "epoch": 8})
    with pytest.raises(ConflictError):
        by_autoscaler(api, workload, desiredResources=DESIRED)
    assert shown(api, workload)["status"]["desiredResources"]["epoch"] == 8


def test_another_object_of_the_same_name_is_left_alone(api, plane, workload):
    metadata = workload["metadata"]
    api.delete(WORKLOADS, metadata["name"], metadata["namespace"])
    with pytest.raises(NotFoundError):
        by_controller(api, workload)
    again = custom_object({}, "TensorFusionWorkload")
    again["metadata"]["name"] = metadata["name"]
    successor = created(plane, metadata["namespace"], again)

    with pytest.raises(ConflictError):
        by_controller(api, workload)
    until(lambda: shown(api, successor), what="the successor is there")
    assert "conditions" not in shown(api, successor).get("status", {})
