"""Each process of ours has the rights that it needs, and nothing more: from the shipped manifests.

That the rights are enough is shown by the tests that run the processes with their own tokens.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

from autoscaler.api.names import (
    AUTOSCALER_LEASE,
    CERTIFICATE_SECRET,
    CONTROL_CONFIG_MAP,
    CONTROLLER_LEASE,
    GROUP,
    NAMESPACE,
    TEMPLATE_WEBHOOK_CONFIGURATION,
    WEBHOOK_CONFIGURATION,
    ServiceAccount,
)
from tests.cluster.rest import Rest

CACHING = frozenset({"list", "watch"})
READING = CACHING | {"get"}
PATCHING = frozenset({"get", "patch"})
WRITING_STATUS = frozenset({"patch"})
REGISTRATION = "admissionregistration.k8s.io"
OWN_NAMESPACE = {
    ServiceAccount.WEBHOOK: {
        ("", "secrets", CERTIFICATE_SECRET): READING,
        ("", "configmaps", CONTROL_CONFIG_MAP): READING,
    },
    ServiceAccount.CONTROLLER: {
        ("", "secrets", CERTIFICATE_SECRET): frozenset({"get", "update"}),
        ("", "secrets", ""): frozenset({"create"}),
        ("", "configmaps", CONTROL_CONFIG_MAP): CACHING,
        ("coordination.k8s.io", "leases", CONTROLLER_LEASE): frozenset({"get", "update"}),
        ("coordination.k8s.io", "leases", ""): frozenset({"create"}),
        ("discovery.k8s.io", "endpointslices", ""): frozenset({"list"}),
    },
    ServiceAccount.AUTOSCALER: {
        ("", "configmaps", CONTROL_CONFIG_MAP): CACHING,
        ("discovery.k8s.io", "endpointslices", ""): frozenset({"list"}),
        ("coordination.k8s.io", "leases", AUTOSCALER_LEASE): frozenset({"get", "update"}),
        ("coordination.k8s.io", "leases", ""): frozenset({"create"}),
    },
    ServiceAccount.AGENT: {},
}
"""Process to what it may do in the namespace of the installation: (group, resource, name)."""
EVERYWHERE = {
    ServiceAccount.WEBHOOK: {
        (GROUP, "workloadprofiles", ""): READING,
        (GROUP, "tensorfusionworkloads", ""): READING,
        (GROUP, "gpupools", ""): READING,
        (GROUP, "gpuresourcequotas", ""): READING,
        ("apps", "replicasets", ""): READING,
        ("apps", "statefulsets", ""): READING,
        ("batch", "jobs", ""): READING,
        ("scheduling.k8s.io", "priorityclasses", ""): READING,
    },
    ServiceAccount.CONTROLLER: {
        ("", "pods", ""): READING | {"patch", "delete"},
        ("", "pods/eviction", ""): frozenset({"create"}),
        ("policy", "poddisruptionbudgets", ""): frozenset({"list"}),
        ("", "nodes", ""): CACHING,
        ("", "persistentvolumes", ""): CACHING,
        ("", "persistentvolumeclaims", ""): CACHING,
        ("apps", "deployments", ""): CACHING,
        ("apps", "statefulsets", ""): CACHING,
        ("apps", "replicasets", ""): CACHING,
        ("batch", "jobs", ""): CACHING,
        (GROUP, "workloadprofiles", ""): CACHING,
        (GROUP, "gpupools", ""): CACHING,
        (GROUP, "gpuresourcequotas", ""): CACHING,
        (GROUP, "gpus", ""): CACHING | {"patch"},
        (GROUP, "tensorfusionworkloads", ""): CACHING | {"create", "patch"},
        (GROUP, "tensorfusionconnections", ""): CACHING | {"create"},
        (GROUP, "gpupools/status", ""): WRITING_STATUS,
        (GROUP, "gpuresourcequotas/status", ""): WRITING_STATUS,
        (GROUP, "gpus/status", ""): WRITING_STATUS,
        (GROUP, "tensorfusionconnections/status", ""): WRITING_STATUS,
        (GROUP, "tensorfusionworkloads/status", ""): WRITING_STATUS,
        ("events.k8s.io", "events", ""): frozenset({"create", "patch"}),
        (REGISTRATION, "mutatingwebhookconfigurations", WEBHOOK_CONFIGURATION): PATCHING,
        (REGISTRATION, "validatingwebhookconfigurations", WEBHOOK_CONFIGURATION): PATCHING,
        (REGISTRATION, "validatingwebhookconfigurations", TEMPLATE_WEBHOOK_CONFIGURATION): PATCHING,
    },
    ServiceAccount.AUTOSCALER: {
        (GROUP, "tensorfusionworkloads", ""): READING,
        (GROUP, "tensorfusionworkloads/status", ""): WRITING_STATUS,
        (GROUP, "tensorfusionworkloads/scale", ""): PATCHING,
        (GROUP, "gpus", ""): CACHING,
        (GROUP, "gpupools", ""): CACHING,
        (GROUP, "gpuresourcequotas", ""): CACHING,
        ("", "pods", ""): CACHING,
        ("", "namespaces", ""): CACHING,
        ("", "services", ""): frozenset({"list"}),
        ("autoscaling", "horizontalpodautoscalers", ""): CACHING,
        ("keda.sh", "scaledobjects", ""): frozenset({"list"}),
        ("apps", "deployments/scale", ""): PATCHING,
        ("apps", "statefulsets/scale", ""): PATCHING,
        ("events.k8s.io", "events", ""): frozenset({"create", "patch"}),
        (REGISTRATION, "mutatingwebhookconfigurations", WEBHOOK_CONFIGURATION): frozenset({"get"}),
    },
    ServiceAccount.AGENT: {
        ("", "pods", ""): CACHING,
        ("", "nodes", ""): frozenset({"get"}),
        (GROUP, "gpus", ""): CACHING | {"create"},
        (GROUP, "gpus/status", ""): WRITING_STATUS,
        ("events.k8s.io", "events", ""): frozenset({"create", "patch"}),
    },
}
"""Process to what it may do in every namespace; an empty name: with all of them."""
OF_EVERYBODY = {
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("certificates.k8s.io", "clustertrustbundles"),
}
"""What Kubernetes itself allows to every ServiceAccount."""


def rights(plane, user, namespace):
    """Return what the API server says that a user may do in a namespace."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    rest = Rest(plane, user=user)
    try:
        status = rest.request("POST", path, review)["status"]
    finally:
        rest.close()
    assert not status["incomplete"]
    found = defaultdict(set)
    for rule in status["resourceRules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames") or ("",):
                    found[group, resource, name] |= set(rule["verbs"])
    return {key: frozenset(verbs) for key, verbs in found.items() if key[:2] not in OF_EVERYBODY}


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("user", EVERYWHERE)
def test_a_process_has_its_rights_and_no_other(control_plane, user, namespace):
    everywhere = EVERYWHERE[user]

    assert rights(control_plane, user, namespace) == everywhere
    assert rights(control_plane, user, NAMESPACE) == everywhere | OWN_NAMESPACE[user]


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize(
    "question",
    [
        ("create", "pods"),
        ("patch", "pods"),
        ("update", f"tensorfusionworkloads.{GROUP}"),
        ("patch", f"tensorfusionworkloads.{GROUP}", "--subresource=status"),
        ("get", "secrets"),
        ("list", "secrets"),
        ("get", "configmaps"),
        ("create", "events"),
        ("get", "pods"),
        ("update", "leases"),
        ("patch", "mutatingwebhookconfigurations"),
        ("create", "serviceaccounts", "--subresource=token"),
        ("impersonate", "users"),
    ],
    ids=" ".join,
)
def test_the_webhook_may_not(control_plane, question):
    ended = control_plane.kubectl(
        "auth", "can-i", "-n", NAMESPACE, *question, user=ServiceAccount.WEBHOOK
    )

    assert ended.out.strip() == "no"


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize(
    "question",
    [
        ("create", "pods"),
        ("update", "pods"),
        ("patch", "pods", "--subresource=status"),
        ("patch", "pods", "--subresource=resize"),
        ("patch", "pods", "--subresource=ephemeralcontainers"),
        ("create", "pods", "--subresource=exec"),
        ("create", "pods", "--subresource=binding"),
        ("delete", "poddisruptionbudgets.policy"),
        ("patch", "nodes"),
        ("patch", "deployments.apps"),
        ("patch", "deployments.apps", "--subresource=scale"),
        ("delete", f"tensorfusionworkloads.{GROUP}"),
        ("patch", f"gpupools.{GROUP}"),
        ("patch", f"gpuresourcequotas.{GROUP}"),
        ("create", f"gpus.{GROUP}"),
        ("list", "secrets"),
        ("get", "configmaps"),
        ("create", "mutatingwebhookconfigurations"),
        ("patch", "mutatingwebhookconfigurations"),
        ("patch", "validatingadmissionpolicies"),
        ("create", "serviceaccounts", "--subresource=token"),
        ("impersonate", "users"),
    ],
    ids=" ".join,
)
def test_the_controller_may_not(control_plane, question):
    ended = control_plane.kubectl(
        "auth", "can-i", "-n", NAMESPACE, *question, user=ServiceAccount.CONTROLLER
    )

    assert ended.out.strip() == "no"


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize(
    "question",
    [
        ("get", "pods"),
        ("create", "pods"),
        ("patch", "pods"),
        ("update", "pods"),
        ("delete", "pods"),
        ("patch", "pods", "--subresource=status"),
        ("patch", "pods", "--subresource=resize"),
        ("create", "pods", "--subresource=eviction"),
        ("create", "pods", "--subresource=exec"),
        ("patch", "deployments.apps"),
        ("get", "deployments.apps"),
        ("patch", "replicasets.apps", "--subresource=scale"),
        ("create", f"tensorfusionworkloads.{GROUP}"),
        ("patch", f"tensorfusionworkloads.{GROUP}"),
        ("delete", f"tensorfusionworkloads.{GROUP}"),
        ("patch", f"gpus.{GROUP}", "--subresource=status"),
        ("patch", f"gpupools.{GROUP}"),
        ("patch", f"gpuresourcequotas.{GROUP}"),
        ("get", "secrets"),
        ("list", "secrets"),
        ("get", "configmaps"),
        ("patch", "configmaps"),
        ("patch", "mutatingwebhookconfigurations"),
        ("get", "nodes"),
        ("create", "serviceaccounts", "--subresource=token"),
        ("impersonate", "users"),
    ],
    ids=" ".join,
)
def test_the_autoscaler_may_not(control_plane, question):
    ended = control_plane.kubectl(
        "auth", "can-i", "-n", NAMESPACE, *question, user=ServiceAccount.AUTOSCALER
    )

    assert ended.out.strip() == "no"


@pytest.mark.usefixtures("webhook")
def test_keys_of_external_scalers_are_read_where_the_owner_of_a_namespace_says_so(
    control_plane, namespace
):
    question = ("auth", "can-i", "get", "secrets", "-n")
    account = f"--serviceaccount={NAMESPACE}:{ServiceAccount.AUTOSCALER}"
    role = "--clusterrole=tensor-fusion-external-scaler-key"
    words = ("create", "rolebinding", "external-scaler-key", "-n", namespace, role, account)
    before = control_plane.kubectl(*question, namespace, user=ServiceAccount.AUTOSCALER)
    control_plane.kubectl(*words).well()

    after = control_plane.kubectl(*question, namespace, user=ServiceAccount.AUTOSCALER)
    elsewhere = control_plane.kubectl(*question, "default", user=ServiceAccount.AUTOSCALER)

    answers = [each.out.strip() for each in (before, after, elsewhere)]
    assert answers == ["no", "yes", "no"]


def test_nothing_was_forbidden_to_the_webhook_that_runs(webhook):
    assert webhook.readiness() == (200, "ok\n")
    assert "forbidden" not in webhook.log().lower()
