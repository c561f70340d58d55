"""What even the controller may not do to pods, tried on a real API server with every right on them.

So a controller that errs, or whose token was taken, changes no image and reaches no node.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from autoscaler.api.names import (
    API_VERSION,
    COMPONENT,
    ENABLED,
    GPU_IDS,
    PLACEMENT_GATE,
    PREFIX,
    WORKLOAD_LABEL,
)
from tests.cluster.control_plane import ControlPlane
from tests.cluster.identities import USERS
from tests.cluster.nodes import HOSTNAME
from tests.cluster.rest import MERGE_PATCH, STRATEGIC_PATCH, RestError
from tests.cluster.tenants import CONTROLLER, PODS, WORKER, Team, admitted, guarded_team, pod

PLAIN, LIVING = "plain", "living"
CONTROLLER_USER = USERS[CONTROLLER][0]
OTHER_GATE = "example.com/licence"
AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
            ]
        }
    }
}
OWNER = {
    "apiVersion": API_VERSION,
    "kind": "TensorFusionWorkload",
    "name": "chat",
    "uid": "00000000-0000-0000-0000-000000000001",
    "controller": True,
    "blockOwnerDeletion": False,
}
PLACED = {
    "metadata": {"annotations": {GPU_IDS: "GPU-1", f"{PREFIX}gpu-peak-tflops": "312"}},
    "spec": {
        "nodeSelector": {HOSTNAME: "node-1"},
        "schedulingGates": [{"$patch": "delete", "name": PLACEMENT_GATE}],
    },
}


@pytest.fixture(scope="module")
def team(control_plane: ControlPlane) -> Iterator[Team]:
    """Apply the policies, and make a pod of nobody's and workers beside the one of all tests."""
    with guarded_team(control_plane) as made:
        made.tenant.request("POST", PODS, pod(PLAIN, labels={}, gates=["wait"]))
        made.tenant.request("POST", PODS, living())
        yield made
        released = {"metadata": {"finalizers": None}}
        made.tenant.request("PATCH", f"{PODS}/{LIVING}", released, content_type=MERGE_PATCH)


def living() -> dict[str, Any]:
    """Return a worker with all that can be changed later."""
    worker = admitted(LIVING)
    worker["metadata"]["labels"]["team"] = "red"
    worker["metadata"]["annotations"] = worker["metadata"]["annotations"] | {"note": "x"}
    worker["metadata"]["finalizers"] = ["example.com/kept"]
    worker["spec"] |= {
        "initContainers": [{"name": "first", "image": "sh"}],
        "nodeSelector": {"zone": "a"},
        "schedulingGates": [{"name": PLACEMENT_GATE}, {"name": OTHER_GATE}],
    }
    return worker


def changed(team: Team, change: dict[str, Any], name: str = LIVING, below: str = "") -> str:
    """Let the controller try a change; return why a policy denies it, empty where none does."""
    path = f"{PODS}/{name}{below}"
    return team.error("PATCH", path, change, by=team.controller, content_type=STRATEGIC_PATCH)


# Changes of workers


def test_a_worker_is_placed_by_one_patch(team):
    assert changed(team, PLACED, WORKER) == ""


def test_a_worker_with_another_gate_loses_ours_alone(team):
    assert changed(team, PLACED) == ""


def test_amounts_in_force_are_changed(team):
    change = {"metadata": {"annotations": {f"{PREFIX}tflops-limit": "40"}}}

    assert changed(team, change) == ""


def test_our_labels_are_changed(team):
    assert changed(team, {"metadata": {"labels": {WORKLOAD_LABEL: "other"}}}) == ""


@pytest.mark.parametrize(
    ("metadata", "key"),
    [
        ({"labels": {"team": "blue"}}, "team"),
        ({"labels": {"team": None}}, "team"),
        ({"labels": {"new": "x"}}, "new"),
        ({"annotations": {"note": "y"}}, "note"),
        ({"annotations": {"note": None}}, "note"),
        ({"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}}, "evict"),
    ],
)
def test_labels_and_annotations_of_others_are_left_alone(team, metadata, key):
    error = changed(team, {"metadata": metadata})

    assert re.search(rf"label or annotation \S*{key} is not changed by the controller", error)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"spec": {"containers": [{"name": "main", "image": "other"}]}}, "spec.containers"),
        (
            {"spec": {"initContainers": [{"name": "first", "image": "other"}]}},
            "spec.initContainers",
        ),
        ({"spec": {"activeDeadlineSeconds": 5}}, "spec.activeDeadlineSeconds"),
        ({"spec": {"affinity": AFFINITY}}, "spec.affinity"),
        ({"metadata": {"finalizers": ["example.com/stuck"]}}, "metadata.finalizers"),
        (
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/kept"]}},
            "metadata.finalizers",
        ),
        ({"metadata": {"ownerReferences": [OWNER]}}, "metadata.ownerReferences"),
    ],
)
def test_other_fields_of_a_worker_are_not_changed(team, change, field):
    error = changed(team, change)

    assert f"{field} is not changed by the controller of the GPU autoscaler" in error


def test_a_worker_tolerates_no_more_than_before(team):
    given = team.controller.get(f"{PODS}/{LIVING}")["spec"].get("tolerations", [])

    error = changed(team, {"spec": {"tolerations": [*given, {"operator": "Exists"}]}})

    assert "spec.tolerations is not changed by the controller" in error


def test_kubernetes_lets_nobody_change_more_of_a_pod_than_the_policy_looks_at(team):
    with pytest.raises(RestError) as refused:
        changed(team, {"spec": {"hostNetwork": True}})

    listed = re.search(r"may not change fields other than (.*?)\\n", str(refused.value))
    assert listed is not None
    assert set(re.findall(r"`spec\.(\w+)", listed[1])) == {
        "activeDeadlineSeconds",
        "containers",
        "initContainers",
        "terminationGracePeriodSeconds",
        "tolerations",
    }


def test_a_gate_of_somebody_else_is_not_removed(team):
    gates = [{"$patch": "delete", "name": OTHER_GATE}]

    error = changed(team, {"spec": {"schedulingGates": gates}})

    assert f"scheduling gate {OTHER_GATE} is not removed by the controller" in error


def test_a_node_selector_gains_the_hostname_and_nothing_else(team):
    error = changed(team, {"spec": {"nodeSelector": {"zone": "a", "disk": "ssd"}}})

    assert "nodeSelector disk is not changed by the controller" in error


# Other pods, other parts, and deleting


@pytest.mark.parametrize("below", ["/status", "/ephemeralcontainers", "/resize"])
def test_the_parts_below_a_worker_are_not_written(team, below):
    body = team.controller.get(f"{PODS}/{LIVING}")

    error = team.error("PUT", f"{PODS}/{LIVING}{below}", body, by=team.controller)

    assert f"the controller of the GPU autoscaler does not write pods{below}" in error


def test_pods_of_others_are_not_changed(team):
    error = changed(team, {"metadata": {"annotations": {f"{PREFIX}tflops-limit": "1"}}}, PLAIN)

    assert "the controller of the GPU autoscaler leaves other pods alone" in error


def test_pods_of_others_are_not_deleted(team):
    error = team.error("DELETE", f"{PODS}/{PLAIN}", {}, by=team.controller)

    assert "the controller of the GPU autoscaler leaves other pods alone" in error


def test_pods_of_kube_system_are_not_deleted(team):
    path = "/api/v1/namespaces/kube-system/pods"
    body = pod("dns", labels={}, gates=["wait"])
    body["metadata"]["namespace"] = "kube-system"
    made = team.plane.kubectl("create", "-f", "-", "-o", "name", stdin=json.dumps(body)).well()
    granted = ("--clusterrole=cluster-admin", f"--user={CONTROLLER_USER}")
    team.plane.kubectl("create", "rolebinding", "-n", "kube-system", "reach", *granted).well()
    try:
        error = team.error("DELETE", f"{path}/dns", {}, by=team.controller)
    finally:
        team.plane.kubectl("delete", "rolebinding", "-n", "kube-system", "reach").well()
        team.plane.kubectl("delete", "-n", "kube-system", made.out.strip(), "--wait=false").well()

    assert "the controller of the GPU autoscaler leaves other pods alone" in error


def test_a_worker_is_deleted(team):
    assert team.error("DELETE", f"{PODS}/{LIVING}", {}, by=team.controller) == ""


def test_a_worker_pod_that_no_admission_has_seen_is_deleted(team):
    orphan = worker_pod("unseen")
    # Its workload does not exist, so that the garbage collector deletes it at some moment.
    orphan["metadata"]["finalizers"] = ["example.com/kept"]
    team.controller.request("POST", PODS, orphan)

    error = team.error("DELETE", f"{PODS}/unseen", {}, by=team.controller)
    released = {"metadata": {"finalizers": None}}
    team.tenant.request("PATCH", f"{PODS}/unseen", released, content_type=MERGE_PATCH)

    assert error == ""


# Evicting


def evicted(team: Team, **options: Any) -> str:
    """Let the controller try to evict a worker; return as ``changed`` does."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": LIVING},
        "deleteOptions": options,
    }
    path = f"{PODS}/{LIVING}/eviction"
    return team.error("POST", path, eviction, by=team.controller)


def test_a_worker_is_evicted_by_its_uid(team):
    uid = team.controller.get(f"{PODS}/{LIVING}")["metadata"]["uid"]

    assert evicted(team, preconditions={"uid": uid}) == ""


def test_an_eviction_names_the_uid_and_leaves_the_pod_its_time(team):
    assert "names the UID of the pod that it evicts" in evicted(team)
    error = evicted(team, preconditions={"uid": "x"}, gracePeriodSeconds=0)
    assert "shortens nobody's end" in error


# Pods that the controller makes


def worker_pod(name: str = "chat-tf-worker-1", **spec: Any) -> dict[str, Any]:
    """Return a worker pod as the controller sends it: admission has not seen it yet."""
    made = pod(name, labels={ENABLED: "true"})
    made["metadata"]["ownerReferences"] = [OWNER]
    made["spec"] |= {"automountServiceAccountToken": False, **spec}
    return made


def created(team: Team, obj: dict[str, Any]) -> str:
    """Let the controller try to create a pod; return as ``changed`` does."""
    return team.error("POST", PODS, obj, by=team.controller)


def test_a_worker_pod_is_created(team):
    volumes = [
        {"name": "tf-lib", "emptyDir": {}},
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "labels", "downwardAPI": {"items": []}},
    ]

    assert created(team, worker_pod(volumes=volumes)) == ""


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {}},
        {"labels": {ENABLED: "false"}},
        {"ownerReferences": []},
        {"ownerReferences": [OWNER | {"controller": False}]},
        {"ownerReferences": [OWNER | {"apiVersion": "v1", "kind": "ConfigMap"}]},
    ],
)
def test_a_pod_that_is_no_worker_of_a_workload_is_not_created(team, metadata):
    made = worker_pod()
    made["metadata"] |= metadata

    assert "the controller of the GPU autoscaler makes workers only" in created(team, made)


def test_a_worker_pod_does_not_come_past_admission(team):
    made = worker_pod()
    made["metadata"]["labels"][COMPONENT] = "worker"

    assert "admission has not seen this pod" in created(team, made)


@pytest.mark.parametrize("field", ["hostNetwork", "hostPID", "hostIPC"])
def test_a_worker_pod_shares_nothing_with_its_node(team, field):
    assert "spec.hostNetwork, spec.hostPID and spec.hostIPC" in (
        created(team, worker_pod(**{field: True}))
    )


@pytest.mark.parametrize(
    "source",
    [
        {"hostPath": {"path": "/"}},
        {"secret": {"secretName": "x"}},
        {"persistentVolumeClaim": {"claimName": "x"}},
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
    ],
    ids=lambda source: next(iter(source)),
)
def test_a_worker_pod_mounts_nothing_of_its_node_and_its_namespace(team, source):
    made = worker_pod(volumes=[{"name": "data", **source}], serviceAccountName="default")

    assert "volume data is not allowed in worker pods; allowed: emptyDir" in created(team, made)


@pytest.mark.parametrize("part", ["containers", "initContainers"])
@pytest.mark.parametrize(
    "context", [{"privileged": True}, {"capabilities": {"add": ["SYS_ADMIN"]}}]
)
def test_a_worker_pod_is_not_privileged(team, part, context):
    container = {"name": "bad", "image": "sh", "securityContext": context}
    made = worker_pod()
    made["spec"][part] = [container]

    assert "container bad is privileged or adds capabilities" in created(team, made)


@pytest.mark.parametrize(
    "environment",
    [
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}]},
        {"envFrom": [{"secretRef": {"name": "x"}}]},
    ],
)
def test_a_worker_pod_reads_no_secret(team, environment):
    made = worker_pod(containers=[{"name": "main", "image": "sh", **environment}])

    assert "container main takes its environment from a Secret" in created(team, made)


def test_a_worker_pod_may_have_literal_values_and_fields_of_its_own(team):
    env = [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    container = {"name": "main", "image": "sh", "env": env}
    container["envFrom"] = [{"configMapRef": {"name": "settings"}}]

    assert created(team, worker_pod(containers=[container])) == ""
