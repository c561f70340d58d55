"""What a filled installation asks the webhook about, and what passes it by."""

import pytest

from autoscaler.api.names import COMPONENT, ENABLED, NAMESPACE, PREFIX
from autoscaler.errors import KubeError
from tests.cluster.admission_server import AdmissionServer
from tests.cluster.certificates.asking import (
    OURS,
    TEMPLATE_KINDS,
    TENANT_NAMESPACE,
    admit,
    look_at,
    template,
    workload,
)
from tests.cluster.certificates.installation import filled, keeper_of


def test_only_labelled_pods_outside_the_systems_namespaces_are_asked_about(api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    admit(admin, namespace="kube-system")
    admit(admin, namespace=NAMESPACE)
    admit(admin, **{ENABLED: "false"})
    admit(admin, app="other")
    assert webhook.asked == []
    admit(admin)
    assert [request["namespace"] for request in webhook.asked] == [TENANT_NAMESPACE]


@pytest.mark.parametrize("kind", TEMPLATE_KINDS)
def test_templates_with_our_label_are_looked_at_and_others_are_not(kind, api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    look_at(admin, kind, {"app": "a"})
    look_at(admin, kind, {"app": "a"} | {ENABLED: "false"})
    if "Job" in kind:
        # The others need a label for their selector.
        look_at(admin, kind, None)
    assert webhook.asked == []
    look_at(admin, kind, {"app": "a"} | OURS)
    assert [request["kind"]["kind"] for request in webhook.asked] == [kind]


@pytest.mark.parametrize("kind", TEMPLATE_KINDS)
def test_templates_that_lack_our_label_and_carry_our_annotations_are_looked_at(
    kind, api, admin, webhook
):
    filled(keeper_of(api, webhook), admin, webhook)
    annotations = {f"{PREFIX}vram-limit": "4Gi"}
    look_at(admin, kind, {"app": "a"}, annotations)
    assert [request["kind"]["kind"] for request in webhook.asked] == [kind]
    webhook.asked.clear()
    look_at(admin, kind, {"app": "a"} | {ENABLED: "false"}, annotations)
    assert webhook.asked == []


@pytest.mark.parametrize("kind", TEMPLATE_KINDS)
def test_our_label_on_the_object_alone_or_with_another_value_is_looked_at(
    kind, api, admin, webhook
):
    filled(keeper_of(api, webhook), admin, webhook)
    obj = workload(kind, template(kind, {"app": "a"}))
    obj["metadata"]["labels"] = OURS
    admin.create(TEMPLATE_KINDS[kind], obj, is_dry_run=True)
    look_at(admin, kind, {"app": "a"} | {ENABLED: "yes"})
    look_at(admin, kind, {"app": "a"} | {COMPONENT: "worker"})
    assert [request["kind"]["kind"] for request in webhook.asked] == [kind] * 3


def test_a_template_is_looked_at_again_only_when_the_spec_changed(api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    deployments = TEMPLATE_KINDS["Deployment"]
    deployment = workload("Deployment", template("Deployment", {"app": "a"} | OURS))
    name = deployment["metadata"]["name"]
    admin.create(deployments, deployment)
    webhook.asked.clear()
    noted = {"metadata": {"annotations": {"note": "b"}}}
    admin.merge_patch(deployments, name, noted, TENANT_NAMESPACE)
    assert webhook.asked == []
    changed = {"spec": {"template": {"metadata": {"annotations": {"note": "b"}}}}}
    admin.merge_patch(deployments, name, changed, TENANT_NAMESPACE)
    assert [request["operation"] for request in webhook.asked] == ["UPDATE"]
    admin.delete(deployments, name, TENANT_NAMESPACE)


def test_a_webhook_that_is_gone_hinders_no_template(api, admin):
    with AdmissionServer() as server:
        server.follow(admin)
        filled(keeper_of(api, server), admin, server)
    look_at(admin, "Deployment", {"app": "a"} | OURS)
    with pytest.raises(KubeError, match="failed calling webhook"):
        admit(admin)
