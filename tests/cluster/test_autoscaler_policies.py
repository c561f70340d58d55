"""What even the autoscaler may not do with its rights, tried on a real API server with its token.

So an autoscaler that errs, or whose token was taken, writes nobody else's part of a status, and
stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from autoscaler.api.names import API_VERSION, NAMESPACE, ServiceAccount
from autoscaler.scaling.live.status.statement import OWNER
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import install_definitions
from tests.cluster.rest import MERGE_PATCH, Rest, RestError
from tests.cluster.tenants import POLICIES
from tests.components.processes import until

TEAM = "team-of-autoscaler-policies"
RBAC = POLICIES.parent / "autoscaler" / "rbac.yaml"
APPS = "/apis/apps/v1/namespaces"
OURS = f"/apis/{API_VERSION}/namespaces/{TEAM}/tensorfusionworkloads"
CHAT = "chat"
READY = {"type": "Ready", "status": "True", "reason": "WorkloadReady", "message": "it runs"}
OWN = {"type": "ResourceUpdate", "status": "False", "reason": "Held", "message": "it waits"}
TIME = {"lastTransitionTime": "2026-01-01T00:00:00Z"}
STATUS = {
    "phase": "Running",
    "workerCount": 2,
    "owners": [{"kind": "Deployment", "apiVersion": "apps/v1", "name": CHAT, "uid": "1"}],
    "conditions": [{**READY, **TIME}, {**OWN, **TIME}],
}


@dataclass(frozen=True, slots=True)
class Policed:
    """The autoscaler before the API server."""

    rest: Rest

    def denied(self, path: str, body: dict[str, Any]) -> str:
        """Try a merge patch without effect; return why a policy denies it, empty: none does."""
        try:
            self.rest.request("PATCH", f"{path}?dryRun=All", body, content_type=MERGE_PATCH)
        except RestError as error:
            if "ValidatingAdmissionPolicy" not in str(error):
                raise
            return str(error)
        return ""

    def status_denied(self, status: dict[str, Any]) -> str:
        """Try to patch the status of the workload; return as ``denied`` does."""
        return self.denied(f"{OURS}/{CHAT}/status", {"status": status})

    def scale_denied(self, replicas: int, *, namespace: str = TEAM, name: str = CHAT) -> str:
        """Try to scale a Deployment; return as ``denied`` does."""
        path = f"{APPS}/{namespace}/deployments/{name}/scale"
        return self.denied(path, {"spec": {"replicas": replicas}})


@pytest.fixture(scope="module")
def autoscaler(control_plane: ControlPlane) -> Iterator[Policed]:
    """Give the autoscaler its rights and policies, a workload, and Deployments."""
    install_definitions(control_plane)
    for namespace in (NAMESPACE, TEAM):
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        control_plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(document)).well()
    control_plane.kubectl("apply", "-f", RBAC).well()
    control_plane.kubectl("apply", "-k", POLICIES).well()
    with (
        closing(Rest(control_plane)) as admin,
        closing(Rest(control_plane, user=ServiceAccount.AUTOSCALER)) as own,
    ):
        made = [deployment(TEAM, CHAT, 2), deployment(TEAM, "stopped", 0)]
        made += [deployment(namespace, "policed", 1) for namespace in ("kube-system", NAMESPACE)]
        for each in made:
            admin.request("POST", f"{APPS}/{each['metadata']['namespace']}/deployments", each)
        workload = {"apiVersion": API_VERSION, "kind": "TensorFusionWorkload"}
        admin.request(
            "POST", OURS, {**workload, "metadata": {"name": CHAT}, "spec": {"replicas": 2}}
        )
        path = f"{OURS}/{CHAT}/status"
        admin.request("PATCH", path, {"status": STATUS}, content_type=MERGE_PATCH)
        policed = Policed(own)
        until(lambda: policed.status_denied({"phase": "Failed"}), what="a status is policed")
        until(lambda: policed.scale_denied(0), what="scales are policed")
        yield policed
        for each in made:
            metadata = each["metadata"]
            admin.request(
                "DELETE", f"{APPS}/{metadata['namespace']}/deployments/{metadata['name']}"
            )


def deployment(namespace: str, name: str, replicas: int) -> dict[str, Any]:
    """Return a Deployment whose pods wait at a gate."""
    labels = {"app": name}
    spec = {
        "schedulingGates": [{"name": "example.com/never"}],
        "containers": [{"name": "main", "image": "any"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


# The status of workloads


def test_the_policy_names_every_part_of_a_status_that_is_not_the_autoscalers():
    policy = next(yaml.safe_load_all((POLICIES / "autoscaler-writes.yaml").read_text()))
    variables = {each["name"]: each["expression"] for each in policy["spec"]["variables"]}
    compared = set(variables["fields"].split("'")[1::2])
    crd = yaml.safe_load((POLICIES.parents[1] / "crds" / "tensorfusionworkloads.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields = set(schema["properties"]["status"]["properties"])

    assert compared - {"conditions of others"} == fields - OWNER.fields - {"conditions"}
    assert set(variables["own"].split("'")[1::2]) == OWNER.conditions


def test_its_own_part_of_a_status_is_written(autoscaler):
    recommended = {"recommendation": {"requests": {"tflops": "20"}}, "desiredResources": {}}
    conditions = [{**OWN, **TIME, "reason": "Applied"}, {**READY, **TIME}]
    news = {**OWN, **TIME, "type": "StaleMetrics"}

    assert autoscaler.status_denied({**recommended, "guard": {"changesToday": 1}}) == ""
    assert autoscaler.status_denied({"conditions": [*conditions, news]}) == ""
    assert autoscaler.status_denied({"conditions": [{**READY, **TIME}]}) == ""


@pytest.mark.parametrize(
    ("status", "named"),
    [
        ({"phase": "Failed"}, "phase"),
        ({"phase": None}, "phase"),
        ({"workerCount": 9, "applied": {"epoch": 1}}, "workerCount, status.applied"),
        ({"owners": [{**STATUS["owners"][0], "name": "victim"}]}, "owners"),
        ({"effective": {"replicas": {"value": "9", "source": "me"}}}, "effective"),
        ({"conditions": [{**READY, **TIME, "status": "False"}]}, "conditions of others"),
        ({"conditions": [{**OWN, **TIME}]}, "conditions of others"),
    ],
)
def test_what_others_say_in_a_status_stays(autoscaler, status, named):
    assert f"the autoscaler does not write status.{named}; allowed" in (
        autoscaler.status_denied(status)
    )


# Scales


def test_what_runs_is_scaled(autoscaler):
    assert autoscaler.scale_denied(1) == ""
    assert autoscaler.scale_denied(7) == ""


def test_nothing_is_stopped_and_nothing_that_was_stopped_is_started(autoscaler):
    assert "the autoscaler stops nothing" in autoscaler.scale_denied(0)
    assert "starts nothing that was stopped" in autoscaler.scale_denied(1, name="stopped")


def test_a_workload_that_has_its_own_scale_is_held_to_the_same(autoscaler):
    path = f"{OURS}/{CHAT}/scale"

    assert autoscaler.denied(path, {"spec": {"replicas": 3}}) == ""
    assert "the autoscaler stops nothing" in autoscaler.denied(path, {"spec": {"replicas": 0}})


@pytest.mark.parametrize("namespace", ["kube-system", NAMESPACE])
def test_nothing_of_the_cluster_and_of_the_installation_is_scaled(autoscaler, namespace):
    denied = autoscaler.scale_denied(3, namespace=namespace, name="policed")

    assert f"the autoscaler scales nothing in namespace {namespace}; allowed" in denied
