"""The keeper works with the rights that are shipped for it, which allow nothing else."""

import json

import pytest

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE
from autoscaler.errors import ForbiddenError
from autoscaler.kube.certificate_secret import read_stored
from autoscaler.kube.resource import SECRETS
from autoscaler.kube.webhook_address import ServiceAddress, UrlAddress
from autoscaler.kube.webhook_endpoints import endpoints_of
from autoscaler.kube.webhook_entries import PODS_WEBHOOK, WEBHOOKS, entry_of
from tests.cluster.certificates.asking import TENANT_NAMESPACE, admit
from tests.cluster.certificates.installation import entries, filled, keeper_of

GROUPS = {
    "leases": "coordination.k8s.io",
    "endpointslices": "discovery.k8s.io",
    "mutatingwebhookconfigurations": "admissionregistration.k8s.io",
    "validatingwebhookconfigurations": "admissionregistration.k8s.io",
}


def test_the_shipped_rights_are_enough_to_make_an_installation_work(api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    bundle = read_stored(admin.get(SECRETS, CERTIFICATE_SECRET, NAMESPACE)).bundle
    address = UrlAddress(url=webhook.url)
    assert [entries(admin, one) for one in WEBHOOKS] == [
        [entry_of(one, address, bundle)] for one in WEBHOOKS
    ]
    admit(admin)
    assert [request["kind"]["kind"] for request in webhook.asked] == ["Pod"]


def may(api, verb, what):
    """Return whether the server would allow this in our namespace."""
    resource, _, name = what.partition("/")
    group = GROUPS.get(resource, "")
    asked = {"verb": verb, "group": group, "resource": resource, "name": name}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked | {"namespace": NAMESPACE}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return api.request("POST", path, body=review)["status"]["allowed"]


def test_the_shipped_rights_end_there(api):
    allowed = {
        ("get", f"secrets/{CERTIFICATE_SECRET}"),
        ("update", f"secrets/{CERTIFICATE_SECRET}"),
        ("create", "secrets"),
        ("get", "leases/tensor-fusion-controller"),
        ("update", "leases/tensor-fusion-controller"),
        ("create", "leases"),
        ("list", "endpointslices"),
        ("get", "mutatingwebhookconfigurations/tensor-fusion-autoscaler"),
        ("patch", "mutatingwebhookconfigurations/tensor-fusion-autoscaler"),
        ("get", "validatingwebhookconfigurations/tensor-fusion-autoscaler"),
        ("patch", "validatingwebhookconfigurations/tensor-fusion-autoscaler"),
        ("get", "validatingwebhookconfigurations/tensor-fusion-autoscaler-templates"),
        ("patch", "validatingwebhookconfigurations/tensor-fusion-autoscaler-templates"),
    }
    asked = allowed | {
        ("delete", f"secrets/{CERTIFICATE_SECRET}"),
        ("list", "secrets"),
        ("watch", "secrets"),
        ("get", "secrets/other"),
        ("update", "secrets/other"),
        ("delete", "leases/tensor-fusion-controller"),
        ("update", "leases/other"),
        ("list", "mutatingwebhookconfigurations"),
        ("create", "mutatingwebhookconfigurations"),
        ("patch", "mutatingwebhookconfigurations/other"),
        ("delete", "validatingwebhookconfigurations/tensor-fusion-autoscaler"),
        ("patch", "validatingwebhookconfigurations/other"),
        ("create", "pods"),
    }

    assert {question for question in asked if may(api, *question)} == allowed


def test_another_secret_and_another_configuration_are_refused(plane, api, admin):
    plane.kubectl("create", "secret", "generic", "other", "-n", NAMESPACE)
    with pytest.raises(ForbiddenError):
        api.get(SECRETS, "other", NAMESPACE)
    with pytest.raises(ForbiddenError):
        api.get(SECRETS, CERTIFICATE_SECRET, TENANT_NAMESPACE)
    with pytest.raises(ForbiddenError):
        api.merge_patch(PODS_WEBHOOK.configuration, "other", {"webhooks": []})


def test_the_endpoints_of_the_service_are_found_with_the_shipped_rights(plane, api, admin):
    address = ServiceAddress()
    assert endpoints_of(api, address) == ()
    endpoint_slice = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "a",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": address.name},
        },
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": 9443}],
        "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
        ],
    }
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(endpoint_slice)).well()
    assert endpoints_of(api, address) == (("10.0.0.1", 9443),)
