"""What leaving a cluster changes, on the API server in memory, and what it leaves alone."""

import pytest

from autoscaler.api.names import NAMESPACE, PLACEMENT_GATE, WEBHOOK_CONFIGURATION
from autoscaler.errors import ApiUnavailableError, ForbiddenError
from autoscaler.kube.resource import (
    GPUS,
    MUTATING_CONFIGURATIONS,
    PODS,
    POOLS,
    VALIDATING_CONFIGURATIONS,
    WORKLOADS,
)
from autoscaler.kube.webhook_address import ServiceAddress
from autoscaler.kube.webhook_entries import WEBHOOKS, entry_of
from autoscaler.workloads.leaving.leaving import Action, Outcome, leave, steps_now
from autoscaler.workloads.leaving.remaining import remaining
from tests.autoscaler.api_double import ApiDouble
from tests.autoscaler.workloads.objects import gpu, placed, pod, pool, worker, workload

OTHER_GATE = "example.com/licence"


def owned(kind="ReplicaSet"):
    """Return the metadata of a pod that a controller made."""
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": "web", "uid": "1", "controller": True}
    return {"ownerReferences": [owner]}


@pytest.fixture
def api():
    """Return a cluster with filled webhook lists and no pods."""
    api = ApiDouble()
    for webhook in WEBHOOKS:
        entry = entry_of(webhook, ServiceAddress(), "", namespace=NAMESPACE)
        metadata = {"name": webhook.configuration_name}
        api.add(webhook.configuration, {"metadata": metadata, "webhooks": [entry]})
    return api


def entries(api):
    return [
        configuration["webhooks"]
        for resource in (MUTATING_CONFIGURATIONS, VALIDATING_CONFIGURATIONS)
        for configuration in api.all(resource)
    ]


def gates(api, name):
    return [gate["name"] for gate in api.find(PODS, "team", name)["spec"]["schedulingGates"]]


def left(api):
    """Leave without waiting; return (action, name, outcome) of each step."""
    return [
        (each.step.action, each.step.name, each.outcome)
        for each in leave(api, wait=lambda _duration_s: None)
    ]


def test_the_webhook_lists_are_emptied_before_any_pod_is_let_go(api):
    api.add(PODS, worker("bare"))

    assert [step.action for step in steps_now(api)] == [*[Action.EMPTY] * 3, Action.UNGATE]
    left(api)
    assert entries(api) == [[], [], []]
    assert [path.split("/")[-2] for _, path in api.writes()][-1] == "pods"


def test_a_waiting_pod_that_a_controller_owns_is_deleted(api):
    api.add(PODS, worker("web-1", metadata=owned()))

    assert left(api)[-1] == (Action.DELETE, "web-1", Outcome.DONE)
    assert api.all(PODS) == []


def test_a_bare_waiting_pod_loses_our_gate_and_keeps_those_of_others(api):
    api.add(PODS, worker("bare", gates=(PLACEMENT_GATE, OTHER_GATE)))

    assert left(api)[-1] == (Action.UNGATE, "bare", Outcome.DONE)
    assert gates(api, "bare") == [OTHER_GATE]


def test_an_owner_that_is_no_controller_does_not_make_a_pod_anew(api):
    metadata = owned()
    metadata["ownerReferences"][0]["controller"] = False
    api.add(PODS, worker("kept", metadata=metadata))

    assert left(api)[-1][:2] == (Action.UNGATE, "kept")


def test_running_workers_and_other_pods_are_left_alone(api):
    api.add(PODS, placed("serving", metadata=owned()))
    api.add(PODS, pod("other", schedulingGates=[{"name": OTHER_GATE}]))
    before = api.all(PODS)

    left(api)

    assert api.all(PODS) == before


def test_a_pod_that_is_being_deleted_is_not_deleted_again(api):
    metadata = {**owned(), "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}
    api.add(PODS, worker("ending", metadata=metadata))

    assert [step.action for step in steps_now(api)] == [Action.EMPTY] * 3


def test_what_is_done_once_is_not_done_again(api):
    api.add(PODS, worker("bare"))
    left(api)
    requests = len(api.requests)

    assert left(api) == []
    assert len(api.requests) == requests


def test_a_missing_configuration_is_nothing_to_empty(api):
    api.remove(MUTATING_CONFIGURATIONS, None, WEBHOOK_CONFIGURATION)

    assert [step.resource for step in steps_now(api)] == [VALIDATING_CONFIGURATIONS] * 2


def test_a_pod_that_was_gated_while_the_list_was_emptied_is_let_go_too(api):
    api.add(PODS, worker("web-1", metadata=owned()))

    def replace(method, path):
        if method == "DELETE" and path.endswith("web-1"):
            api.add(PODS, worker("web-2", metadata=owned()))

    api.after = replace

    assert left(api)[-2:] == [
        (Action.DELETE, "web-1", Outcome.DONE),
        (Action.DELETE, "web-2", Outcome.DONE),
    ]
    assert api.all(PODS) == []


def test_a_list_that_somebody_fills_again_and_again_is_said_to_have_failed(api):
    before = {each["metadata"]["name"]: each for each in api.all(MUTATING_CONFIGURATIONS)}

    def refill(method, path):
        if method == "PATCH" and path.endswith(f"mutatingwebhookconfigurations/{NAMESPACE}"):
            api.edit(
                MUTATING_CONFIGURATIONS,
                None,
                WEBHOOK_CONFIGURATION,
                lambda obj: obj.update(webhooks=before[WEBHOOK_CONFIGURATION]["webhooks"]),
            )

    api.after = refill
    taken = leave(api, wait=lambda _duration_s: None)

    failed = [each for each in taken if each.outcome is Outcome.FAILED]
    assert [each.step.name for each in failed] == [WEBHOOK_CONFIGURATION]
    assert "somebody puts it back" in failed[0].message


def test_a_step_that_is_refused_is_told_once_and_the_others_go_on(api):
    api.add(PODS, worker("first", metadata=owned()))
    api.add(PODS, worker("second"))
    asked = []

    def forbid(method, path):
        if method == "DELETE":
            asked.append(path)
            raise ForbiddenError("403: pods is forbidden")

    api.before = forbid
    taken = {each.step.name: each for each in leave(api, wait=lambda _duration_s: None)}

    assert (taken["first"].outcome, taken["first"].message) == (
        Outcome.FAILED,
        "403: pods is forbidden",
    )
    assert taken["second"].outcome is Outcome.DONE
    assert len(asked) == 1


def test_a_step_that_was_not_answered_is_tried_again(api):
    api.add(PODS, worker("web-1", metadata=owned()))
    answers = [ApiUnavailableError("no answer")]

    def fail_once(method, _path):
        if method == "DELETE" and answers:
            raise answers.pop()

    api.before = fail_once

    assert left(api)[-1] == (Action.DELETE, "web-1", Outcome.DONE)


def test_what_stays_is_listed_by_kind_and_name(api):
    api.add(PODS, placed("serving"))
    api.add(PODS, worker("waiting"))
    api.add(PODS, placed("done", phase="Succeeded"))
    api.add(WORKLOADS, workload("chat"))
    api.add(POOLS, pool())
    api.add(GPUS, gpu("GPU-1"))

    names = {each.what: each.names for each in remaining(api)}

    assert {what: found for what, found in names.items() if found} == {
        "running workers": ("team/serving",),
        "TensorFusionWorkload": ("team/chat",),
        "GPUPool": ("pool",),
        "GPU": ("gpu-1",),
    }
    assert {what for what, found in names.items() if not found} == {
        "running clients",
        "WorkloadProfile",
        "GPUResourceQuota",
        "TensorFusionConnection",
    }
