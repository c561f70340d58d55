"""What a tenant with the usual rights of a namespace tries against the whole installation."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from autoscaler.api.names import (
    API_VERSION,
    COMPONENT,
    ENABLED,
    GPU_IDS,
    GPU_POOL,
    GROUP,
    INJECT_CONTAINER,
    ISOLATION,
    MANAGED_BY,
    MODE,
    POOL_LABEL,
    PREFIX,
    WORKLOAD_LABEL,
)
from tests.cluster.identities import TENANT
from tests.cluster.rest import Rest, RestError
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

AMOUNTS = {"is_local_gpu": "true", "tflops_limit": "10", "vram_limit": "4Gi"}
PAGE = Path(__file__).parents[2] / "docs" / "tenants.md"
pytestmark = pytest.mark.usefixtures("webhook")


@pytest.fixture
def tenant(control_plane, namespace):
    """Give the tenant Kubernetes' own role ``admin`` in the namespace of the test."""
    words = ("--clusterrole=admin", f"--user={TENANT}")
    control_plane.kubectl("create", "rolebinding", "-n", namespace, "tenant", *words).well()

    def may_write_profiles():
        question = ("auth", "can-i", "-n", namespace, "create", f"workloadprofiles.{GROUP}")
        return control_plane.kubectl(*question, user=TENANT).code == 0

    # The role gains our kinds a moment after the installation.
    until(may_write_profiles, what="the tenant may write profiles")
    rest = Rest(control_plane, user=TENANT)
    yield rest
    rest.close()


def pods(namespace):
    return f"/api/v1/namespaces/{namespace}/pods"


def wanted(name="chat", **annotations):
    return enabled_pod(name, **AMOUNTS, **annotations)


@pytest.mark.parametrize(
    "question",
    [
        ("create", f"gpuresourcequotas.{GROUP}"),
        ("patch", f"gpuresourcequotas.{GROUP}"),
        ("patch", f"tensorfusionworkloads.{GROUP}", "--subresource=status"),
        ("patch", f"tensorfusionworkloads.{GROUP}", "--subresource=scale"),
        ("create", f"tensorfusionconnections.{GROUP}"),
        ("patch", f"gpupools.{GROUP}"),
        ("patch", f"gpus.{GROUP}"),
        ("patch", "pods", "--subresource=status"),
        ("create", "pods", "--subresource=binding"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("tenant")
def test_a_tenant_may_not(control_plane, namespace, question):
    ended = control_plane.kubectl("auth", "can-i", "-n", namespace, *question, user=TENANT)

    assert ended.out.strip() == "no"


def test_a_tenant_writes_a_workload_and_nothing_of_what_is_desired_for_it(tenant, namespace):
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/tensorfusionworkloads"
    workload = {
        "apiVersion": API_VERSION,
        "kind": "TensorFusionWorkload",
        "metadata": {"name": "chat"},
        "spec": {"qos": "low"},
        "status": {"desiredResources": {"limits": {"vram": "80Gi"}}},
    }

    made = tenant.request("POST", path, workload)
    put = tenant.request("PUT", f"{path}/chat", made | {"status": workload["status"]})

    assert (made["spec"], "status" in made, "status" in put) == ({"qos": "low"}, False, False)


def test_a_pod_that_brings_every_key_of_the_system_gets_those_of_admission(tenant, namespace):
    pod = wanted(gpu_ids="GPU-1", gpu_peak_vram="9", mode="remote", selected_workload="x")
    brought = {COMPONENT: "client", WORKLOAD_LABEL: "other", POOL_LABEL: "other", MANAGED_BY: "x"}
    pod["metadata"]["labels"] |= brought

    made = tenant.request("POST", pods(namespace), pod)["metadata"]

    assert made["labels"] == {
        ENABLED: "true",
        COMPONENT: "worker",
        WORKLOAD_LABEL: "chat",
        POOL_LABEL: "default-pool",
    }
    assert made["annotations"][MODE] == "embedded"
    left = {GPU_IDS, f"{PREFIX}gpu-peak-vram", f"{PREFIX}selected-workload"}
    assert not left & made["annotations"].keys()


def test_a_pod_that_waits_for_a_gpu_does_not_choose_its_node_past_the_scheduler(tenant, namespace):
    pod = wanted()
    pod["spec"]["nodeName"] = "node"

    with pytest.raises(RestError, match=r"spec\.nodeName: 'node' cannot be set"):
        tenant.request("POST", pods(namespace), pod)


def test_what_was_admitted_cannot_be_raised_by_who_created_it(tenant, namespace):
    made = tenant.request("POST", pods(namespace), wanted())
    raised = dict(made["metadata"]["annotations"], **{f"{PREFIX}vram-limit": "80Gi"})
    changed = made | {"metadata": {**made["metadata"], "annotations": raised, "labels": {}}}

    with pytest.raises(RestError, match=r"'tensor-fusion-worker-changes'.*denied request"):
        tenant.request("PUT", f"{pods(namespace)}/chat", changed)


def test_a_pod_that_is_made_to_be_costly_is_answered_in_time(tenant, namespace):
    # Names that are ours between others, in lists that are just not too long to be compared.
    names = ["other", "TF_LIMIT_VRAM"] * 245
    pod = wanted()
    pod["spec"]["containers"] = [
        {"name": f"c{i}", "image": "cuda", "env": [{"name": name} for name in names]}
        for i in range(60)
    ]
    pod["metadata"]["annotations"][INJECT_CONTAINER] = ",".join(f"c{i}" for i in range(60))

    made = tenant.request("POST", f"{pods(namespace)}?dryRun=All", pod)

    found = [entry["name"] for entry in made["spec"]["containers"][59]["env"]]
    assert found.count("other") == 245
    assert found.count("TF_LIMIT_VRAM") == 1


@pytest.fixture
def documented_policy(control_plane, tenant, namespace):
    """Apply the policy of the page on tenants, and give the namespace a pool of its own."""
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    control_plane.kubectl("apply", "-f", "-", stdin=text).well()
    label = ("label", "namespace", namespace, "example.com/gpupool=own")
    control_plane.kubectl(*label).well()

    def is_in_force():
        path = f"{pods(namespace)}?dryRun=All"
        try:
            tenant.request("POST", path, wanted())
        except RestError as error:
            return "GPU pool of this namespace: own" in str(error)
        return False

    try:
        yield until(is_in_force, what="the policy of the page is in force")
    finally:
        control_plane.kubectl("delete", "-f", "-", stdin=text).well()


@pytest.mark.usefixtures("documented_policy")
def test_the_documented_policy_ties_a_namespace_to_its_pool_and_to_the_limiter(
    control_plane, tenant, namespace
):
    own = {"apiVersion": API_VERSION, "kind": "GPUPool", "metadata": {"name": "own"}, "spec": {}}
    with closing(Rest(control_plane)) as admin:
        admin.request("POST", f"/apis/{API_VERSION}/gpupools", own)
        path = f"{pods(namespace)}?dryRun=All"
        try:
            made = tenant.request("POST", path, wanted(gpupool="own"))
            with pytest.raises(RestError, match=r"isolation: allowed: soft"):
                tenant.request("POST", path, wanted(gpupool="own", isolation="shared"))
        finally:
            admin.request("DELETE", f"/apis/{API_VERSION}/gpupools/own")

    assert made["metadata"]["annotations"][GPU_POOL] == "own"
    assert ISOLATION not in made["metadata"]["annotations"]
