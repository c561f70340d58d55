"""The API server of these tests keeps the promises that the controller relies on."""

import pytest

from autoscaler.api.names import PLACEMENT_GATE
from autoscaler.errors import (
    AlreadyExistsError,
    ApiUnavailableError,
    ConflictError,
    InvalidError,
    NotFoundError,
)
from autoscaler.kube.resource import NODES, PODS, WORKLOADS
from autoscaler.kube.status_apply import StatusOwner, apply_status
from autoscaler.workloads.cluster import Cluster
from tests.autoscaler.api_double import ApiDouble

CONTROLLER = StatusOwner(
    field_manager="one", fields=frozenset({"phase"}), conditions=frozenset({"Ready"})
)
AUTOSCALER = StatusOwner(
    field_manager="two", fields=frozenset({"guard"}), conditions=frozenset({"Other"})
)


def gated(name="p", **spec):
    return {
        "metadata": {"name": name, "namespace": "team"},
        "spec": {"schedulingGates": [{"name": PLACEMENT_GATE}, {"name": "other"}], **spec},
    }


def condition(kind, reason="Because"):
    return {"type": kind, "status": "True", "reason": reason}


@pytest.fixture
def api():
    return ApiDouble()


def test_a_created_object_has_identity_and_version_and_a_name_is_taken_once(api):
    made = api.create(PODS, gated())
    assert {"uid", "resourceVersion", "creationTimestamp"} <= set(made["metadata"])
    assert made["status"] == {"phase": "Pending"}
    assert api.get(PODS, "p", "team") == made
    with pytest.raises(AlreadyExistsError):
        api.create(PODS, gated())


def test_a_dry_run_creates_nothing(api):
    api.create(PODS, gated(), is_dry_run=True)
    assert api.all(PODS) == []


def test_a_patch_of_an_old_version_is_a_conflict_and_a_patch_that_changes_nothing_no_version(api):
    made = api.create(PODS, gated())
    version = made["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version, "annotations": {"a": "1"}}}
    new = api.merge_patch(PODS, "p", patch, "team")
    assert int(new["metadata"]["resourceVersion"]) > int(version)
    with pytest.raises(ConflictError):
        api.merge_patch(PODS, "p", patch, "team")
    assert api.merge_patch(PODS, "p", {"metadata": {"annotations": {"a": "1"}}}, "team") == new


def test_a_strategic_patch_removes_one_gate_and_adds_a_node_selector(api):
    api.create(PODS, gated())
    patch = {
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": "n1"},
            "schedulingGates": [{"$patch": "delete", "name": PLACEMENT_GATE}],
        }
    }
    new = api.strategic_patch(PODS, "p", patch, "team")
    assert new["spec"]["schedulingGates"] == [{"name": "other"}]
    assert new["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "n1"}


@pytest.mark.parametrize(
    "spec",
    [
        {"nodeName": "n2"},
        {"schedulingGates": [{"name": "third"}]},
        {"nodeSelector": {"zone": "b"}},
    ],
)
def test_what_kubernetes_does_not_let_one_change_of_a_pod_is_invalid(api, spec):
    api.create(PODS, gated(nodeSelector={"zone": "a"}))
    with pytest.raises(InvalidError, match="Forbidden"):
        api.strategic_patch(PODS, "p", {"spec": spec}, "team")


def test_a_node_selector_is_settled_once_no_gate_is_left(api):
    api.add(PODS, {"metadata": {"name": "p", "namespace": "team"}, "spec": {}})
    with pytest.raises(InvalidError, match="no scheduling gate"):
        api.merge_patch(PODS, "p", {"spec": {"nodeSelector": {"a": "b"}}}, "team")


def test_a_bound_pod_ends_in_two_steps_and_another_one_at_once(api):
    made = api.create(PODS, gated())
    with pytest.raises(ConflictError):
        api.delete(PODS, "p", "team", uid="another")
    api.delete(PODS, "p", "team", uid=made["metadata"]["uid"])
    assert api.all(PODS) == []
    api.add(PODS, {"metadata": {"name": "q", "namespace": "team"}, "spec": {"nodeName": "n"}})
    api.delete(PODS, "q", "team")
    assert "deletionTimestamp" in api.get(PODS, "q", "team")["metadata"]
    api.remove(PODS, "team", "q")
    with pytest.raises(NotFoundError):
        api.get(PODS, "q", "team")


def test_status_is_written_by_its_subresource_alone_and_generation_counts_specs(api):
    api.create(WORKLOADS, {"metadata": {"name": "w", "namespace": "team"}, "status": {"a": 1}})
    assert "status" not in api.get(WORKLOADS, "w", "team")
    new = api.merge_patch(WORKLOADS, "w", {"spec": {"replicas": 2}, "status": {"a": 1}}, "team")
    assert not new["status"]
    assert new["metadata"]["generation"] == 2
    new = api.merge_patch(WORKLOADS, "w", {"metadata": {"labels": {"a": "b"}}}, "team")
    assert new["metadata"]["generation"] == 2
    assert new["metadata"]["uid"] == api.get(WORKLOADS, "w", "team")["metadata"]["uid"]


def test_each_writer_of_a_status_keeps_its_own_part(api):
    shown = api.create(WORKLOADS, {"metadata": {"name": "w", "namespace": "team"}})
    first = {"phase": "Running", "conditions": [condition("Ready")]}
    apply_status(api, WORKLOADS, shown, first, CONTROLLER)
    shown = api.get(WORKLOADS, "w", "team")
    apply_status(
        api, WORKLOADS, shown, {"guard": {}, "conditions": [condition("Other")]}, AUTOSCALER
    )
    shown = api.get(WORKLOADS, "w", "team")
    apply_status(api, WORKLOADS, shown, {"phase": "Failed"}, CONTROLLER)
    status = api.get(WORKLOADS, "w", "team")["status"]
    assert status == {"phase": "Failed", "guard": {}, "conditions": [condition("Other")]}
    with pytest.raises(ConflictError):
        apply_status(api, WORKLOADS, shown, {"phase": "Pending"}, CONTROLLER)


def test_a_fault_before_a_request_leaves_nothing_and_one_after_it_what_was_written(api):
    def fail(method, path):
        raise ApiUnavailableError("no answer")

    api.before = fail
    with pytest.raises(ApiUnavailableError):
        api.create(PODS, gated("a"))
    api.before, api.after = (lambda method, path: None), fail
    with pytest.raises(ApiUnavailableError):
        api.create(PODS, gated("b"))
    assert [pod["metadata"]["name"] for pod in api.all(PODS)] == ["b"]
    assert api.writes() == [("POST", "/api/v1/namespaces/team/pods")]


def test_caches_see_what_is_here_when_they_are_shown_it(api):
    cluster = Cluster(api, namespace="tensor-fusion-autoscaler")
    api.add(NODES, {"metadata": {"name": "n1", "labels": {"a": "b"}}})
    assert cluster.store(NODES).get("", "n1") is None
    api.show_in(cluster)
    assert cluster.store(NODES).get("", "n1")["metadata"]["labels"] == {"a": "b"}
