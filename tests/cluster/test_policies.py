"""What tenants may not do to pods, tried on a real API server by one who may write any pod."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import yaml

from autoscaler.api.names import (
    AMOUNT_KEYS,
    COMPONENT,
    DECLARED,
    ENABLED,
    GPU_COUNT,
    GPU_IDS,
    GPU_INDICES,
    GPU_MODEL,
    GPU_POOL,
    IN_FORCE,
    INJECT_CONTAINER,
    IS_LOCAL_GPU,
    ISOLATION,
    MANAGED_BY,
    PLACEMENT_GATE,
    POOL_LABEL,
    PREFIX,
    QOS,
    SOURCES,
    SYSTEM_ANNOTATIONS,
    SYSTEM_LABELS,
    VENDOR,
    WORKLOAD,
)
from tests.cluster.control_plane import ControlPlane
from tests.cluster.rest import MERGE_PATCH, Rest, RestError
from tests.cluster.tenants import (
    ANNOTATIONS,
    PODS,
    POLICIES,
    TEAM,
    TENANT,
    WORKER,
    Team,
    admitted,
    binding_to,
    guarded_team,
    pod,
)

FACTS = (
    *DECLARED, SOURCES, *SYSTEM_ANNOTATIONS, WORKLOAD, INJECT_CONTAINER, IS_LOCAL_GPU, GPU_COUNT,
    GPU_MODEL, GPU_INDICES, GPU_POOL, VENDOR, ISOLATION, QOS,
)  # fmt: skip
"""Annotations that nobody but the controller changes on a worker."""
PROCESSES = ("controller", "autoscaler", "agent")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.fixture(scope="module")
def team(control_plane: ControlPlane) -> Iterator[Team]:
    """Apply the policies and make the worker."""
    with guarded_team(control_plane) as made:
        yield made


# The manifests


def test_the_policies_name_the_keys_of_the_one_module():
    documents = list(yaml.safe_load_all((POLICIES / "worker-changes.yaml").read_text()))
    variables = {item["name"]: item["expression"] for item in documents[0]["spec"]["variables"]}

    def keys(name):
        return {word for word in variables[name].split("'")[1::2] if word != "declared-"}

    assert keys("changedLabels") == {key.removeprefix(PREFIX) for key in SYSTEM_LABELS}
    assert keys("amounts") == set(AMOUNT_KEYS)
    assert keys("changedFacts") == {
        key.removeprefix(PREFIX) for key in FACTS if key not in DECLARED
    }


def test_every_policy_fails_closed_and_those_for_tenants_are_in_force_but_in_kube_system():
    documents = [
        document
        for path in sorted(POLICIES.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]
    policies = [d for d in documents if d["kind"] == "ValidatingAdmissionPolicy"]
    bindings = [d for d in documents if d["kind"] == "ValidatingAdmissionPolicyBinding"]

    assert {policy["spec"]["failurePolicy"] for policy in policies} == {"Fail"}
    assert [each["spec"]["policyName"] for each in bindings] == [
        policy["metadata"]["name"] for policy in policies
    ]
    selector = {
        "key": "kubernetes.io/metadata.name",
        "operator": "NotIn",
        "values": ["kube-system"],
    }
    elsewhere = {"namespaceSelector": {"matchExpressions": [selector]}}
    for binding in bindings:
        assert binding["spec"]["validationActions"] == ["Deny"]
        # Processes of ours are held everywhere; nothing of kube-system comes from them.
        is_of_ours = any(f"-{who}-" in binding["metadata"]["name"] for who in PROCESSES)
        expected = None if is_of_ours else elsewhere
        assert binding["spec"].get("matchResources") == expected


# Creating pods


@pytest.mark.parametrize("labels", [{}, {ENABLED: "false"}, {ENABLED: "True"}])
@pytest.mark.parametrize("component", ["worker", "client"])
def test_a_pod_of_ours_without_the_enabled_label_is_denied(team, labels, component):
    forged = pod("forged", labels={COMPONENT: component, **labels}, gates=[PLACEMENT_GATE])

    assert "label tensor-fusion.ai/component is set by admission only; allowed: leave it out" in (
        team.error("POST", PODS, forged)
    )


@pytest.mark.parametrize(
    ("component", "gates", "annotations"),
    [
        ("worker", [], {}),
        ("worker", [PLACEMENT_GATE], {GPU_IDS: "GPU-1"}),
        ("client", [], {GPU_IDS: "GPU-1"}),
    ],
)
def test_a_pod_of_ours_that_admission_has_not_seen_is_denied(team, component, gates, annotations):
    labels = {COMPONENT: component, ENABLED: "true"}
    forged = pod("forged", labels=labels, gates=gates, annotations=annotations)

    assert "admission has not seen this pod" in team.error("POST", PODS, forged)


def test_pods_as_admission_leaves_them_are_created(team):
    client = pod("client", labels={COMPONENT: "client", ENABLED: "true"})

    assert team.error("POST", PODS, admitted("another")) == ""
    assert team.error("POST", PODS, client) == ""


def test_pods_without_our_labels_are_nobodys_business(team):
    assert team.error("POST", PODS, pod("plain", labels={"app": "x"})) == ""
    assert team.error("POST", PODS, pod("plain", labels={}, annotations={GPU_IDS: "x"})) == ""


def test_pods_of_kube_system_are_not_looked_at(team):
    forged = pod("forged", labels={COMPONENT: "worker"})
    forged["metadata"]["namespace"] = "kube-system"
    with closing(Rest(team.plane)) as admin:
        path = "/api/v1/namespaces/kube-system/pods"

        assert team.error("POST", path, forged, by=admin) == ""


# Changing a worker


@pytest.mark.parametrize("subresource", ["", "/status"])
@pytest.mark.parametrize("key", IN_FORCE)
def test_an_amount_in_force_is_not_changed_by_a_tenant(team, key, subresource):
    error = team.patch_error({"annotations": {key: "1000"}}, subresource=subresource)

    assert f"annotation {key} is changed by the controller of the GPU autoscaler only" in error


@pytest.mark.parametrize("subresource", ["", "/status"])
@pytest.mark.parametrize("key", FACTS)
def test_what_a_worker_declared_and_where_it_runs_is_not_changed_by_a_tenant(
    team, key, subresource
):
    error = team.patch_error({"annotations": {key: "other"}}, subresource=subresource)

    assert f"annotation {key} cannot be changed after admission" in error


@pytest.mark.parametrize("key", [GPU_IDS, SOURCES, f"{PREFIX}declared-vram-limit"])
def test_what_a_worker_declared_and_where_it_runs_is_not_removed_by_a_tenant(team, key):
    error = team.patch_error({"annotations": {key: None}})

    assert f"annotation {key} cannot be changed after admission" in error


def test_a_limit_is_not_removed_by_a_tenant(team):
    key = f"{PREFIX}vram-limit"

    error = team.patch_error({"annotations": {key: None}})

    assert f"annotation {key} is changed by the controller" in error


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, "other") for key in SYSTEM_LABELS]
    + [(key, None) for key in SYSTEM_LABELS if key != MANAGED_BY],
)
def test_our_labels_are_not_changed_by_a_tenant(team, key, value):
    error = team.patch_error({"labels": {key: value}})

    assert f"label {key} is changed by the controller of the GPU autoscaler only" in error


@pytest.mark.parametrize("value", [None, "false"])
def test_a_worker_stays_enabled(team, value):
    assert "label tensor-fusion.ai/enabled cannot be changed" in (
        team.patch_error({"labels": {ENABLED: value}})
    )


def test_the_message_names_every_key_that_was_changed(team):
    values = {f"{PREFIX}tflops-limit": "99", f"{PREFIX}vram-limit": "99Gi", "note": "x"}

    error = team.patch_error({"annotations": values})

    assert f"annotation {PREFIX}tflops-limit, {PREFIX}vram-limit is changed" in error


def test_removing_all_our_keys_at_once_is_denied(team):
    assert team.patch_error({"labels": None, "annotations": None}) != ""


def test_even_the_administrator_leaves_workers_to_the_controller(team):
    with closing(Rest(team.plane)) as admin:
        error = team.patch_error({"annotations": {f"{PREFIX}vram-limit": "80Gi"}}, by=admin)

    assert "is changed by the controller" in error


def test_a_plain_pod_does_not_become_a_worker_afterwards(team):
    team.tenant.request("POST", PODS, pod("plain", labels={}, gates=["wait"]))
    body = {"metadata": {"labels": {COMPONENT: "worker"}}}

    error = team.error("PATCH", f"{PODS}/plain", body, content_type=MERGE_PATCH)

    assert f"label {COMPONENT} is changed by the controller" in error


@pytest.mark.parametrize("subresource", ["/ephemeralcontainers", "/resize"])
def test_other_subresources_leave_labels_and_annotations_as_they_are(team, subresource):
    path = f"{PODS}/{WORKER}{subresource}"
    body = {"metadata": {"annotations": {GPU_IDS: "GPU-9"}, "labels": {COMPONENT: None}}}

    given = team.tenant.request("PATCH", f"{path}?dryRun=All", body, content_type=MERGE_PATCH)

    assert given["metadata"]["annotations"][GPU_IDS] == "GPU-1"
    assert given["metadata"]["labels"][COMPONENT] == "worker"


@pytest.mark.parametrize("name", ["binding", "bindings"])
@pytest.mark.parametrize(
    "keys", [{"annotations": {GPU_IDS: "GPU-9"}}, {"labels": {POOL_LABEL: "q"}}]
)
def test_a_binding_carries_nothing_past_admission(team, name, keys):
    path = f"{PODS}/{WORKER}/binding" if name == "binding" else PODS.replace("pods", "bindings")
    key = next(iter(next(iter(keys.values()))))

    error = team.error("POST", path, binding_to("node", **keys))

    assert f"a binding carries {key}, which would reach the pod past admission" in error


def debugged(team: Team, **mount: Any) -> str:
    """Try to add an ephemeral container with a mount; return as ``error`` does."""
    path = f"{PODS}/{WORKER}/ephemeralcontainers"
    given = team.tenant.get(path.removesuffix("/ephemeralcontainers"))
    container = {"name": "debug", "image": "sh", "volumeMounts": [{"mountPath": "/x", **mount}]}
    given["spec"]["ephemeralContainers"] = [container]
    return team.error("PUT", path, given)


def test_an_ephemeral_container_does_not_write_the_control_page(team):
    assert "ephemeral container debug mounts tf-ctl or tf-lib for writing" in (
        debugged(team, name="tf-ctl")
    )


@pytest.mark.parametrize("mount", [{"name": "tf-ctl", "readOnly": True}, {"name": "tf-use"}])
def test_an_ephemeral_container_may_read_the_pages(team, mount):
    assert debugged(team, **mount) == ""


# Lawful changes


def test_the_controller_changes_amounts_facts_and_labels(team):
    metadata = {
        "annotations": {f"{PREFIX}vram-limit": "8Gi", GPU_IDS: "GPU-2"},
        "labels": {POOL_LABEL: "q"},
    }

    assert team.patch_error(metadata, by=team.controller) == ""


def test_an_amount_may_be_set_back_to_its_declared_value(team):
    key = f"{PREFIX}tflops-limit"
    raised = {"metadata": {"annotations": {key: "40"}}}
    team.controller.request("PATCH", f"{PODS}/{WORKER}", raised, content_type=MERGE_PATCH)

    assert team.patch_error({"annotations": {key: "20"}}) == ""
    assert f"annotation {key} is changed" in team.patch_error({"annotations": {key: "30"}})
    back = {"metadata": {"annotations": {key: "20"}}}
    team.controller.request("PATCH", f"{PODS}/{WORKER}", back, content_type=MERGE_PATCH)


def test_an_amount_without_a_declared_value_may_be_removed_again(team):
    assert team.patch_error({"annotations": {f"{PREFIX}vram-request": None}}) == ""


def test_other_labels_and_annotations_are_the_tenants(team):
    labelled = team.plane.kubectl(
        "label", "pod", WORKER, "-n", TEAM, "team=blue", "--dry-run=server", user=TENANT
    )
    annotated = team.plane.kubectl(
        "annotate", "pod", WORKER, "-n", TEAM, "note=x", "--dry-run=server", user=TENANT
    )

    assert (labelled.code, annotated.code) == (0, 0)


def test_the_status_of_a_worker_is_still_written(team):
    body = {"status": {"phase": "Pending", "message": "waiting"}}

    error = team.error("PATCH", f"{PODS}/{WORKER}/status", body, content_type=MERGE_PATCH)

    assert error == ""


def test_a_binding_without_our_keys_is_not_denied(team):
    path = f"{PODS}/{WORKER}/binding"
    with pytest.raises(RestError, match=r"has non-empty .spec.schedulingGates"):
        team.error("POST", path, binding_to("node", annotations={"other": "x"}))


def test_a_bare_pod_may_be_applied_again_while_other_amounts_are_in_force(team):
    stated = {f"{PREFIX}tflops-limit": "20"}
    manifest = pod("bare", labels={ENABLED: "true"}, annotations=stated, gates=[PLACEMENT_GATE])
    text = json.dumps(manifest)
    made = admitted("bare")
    # What kubectl sent when it created the pod, which admission then completed.
    made["metadata"]["annotations"] = ANNOTATIONS | {LAST_APPLIED: text}
    team.tenant.request("POST", PODS, made)
    raised = {"metadata": {"annotations": {f"{PREFIX}tflops-limit": "40"}}}
    team.controller.request("PATCH", f"{PODS}/bare", raised, content_type=MERGE_PATCH)

    again = team.plane.kubectl("apply", "-f", "-", stdin=text, user=TENANT).well()

    assert again.out == "pod/bare configured\n"
    annotations = team.tenant.get(f"{PODS}/bare")["metadata"]["annotations"]
    assert annotations[f"{PREFIX}tflops-limit"] == "20"


def test_a_bare_pod_that_is_applied_with_another_amount_is_denied_with_the_key(team):
    text = json.dumps(admitted("changed"))
    team.plane.kubectl("apply", "-f", "-", stdin=text, user=TENANT).well()
    changed = text.replace('vram-limit": "4Gi"', 'vram-limit": "8Gi"')

    denied = team.plane.kubectl("apply", "-f", "-", stdin=changed, user=TENANT)

    assert denied.code == 1
    assert f"{PREFIX}vram-limit" in denied.err


def test_a_worker_may_be_deleted_by_its_owner(team):
    team.tenant.request("POST", PODS, admitted("short"))

    assert team.plane.kubectl("delete", "pod", "short", "-n", TEAM, user=TENANT).code == 0
