import base64

from autoscaler.kube.certificates import new_authority_and_serving
from autoscaler.kube.resource import MUTATING_CONFIGURATIONS, VALIDATING_CONFIGURATIONS
from autoscaler.kube.webhook_address import ServiceAddress
from autoscaler.kube.webhook_entries import (
    OBJECTS_WEBHOOK,
    PODS_WEBHOOK,
    TEMPLATES_WEBHOOK,
    WEBHOOKS,
    authorities_of,
    entry_of,
)

ADDRESS = ServiceAddress()
AUTHORITY = new_authority_and_serving(["a"], now_s=1_800_000_000, lifetime_s=1000).authority


def entry(webhook, **options):
    return entry_of(webhook, ADDRESS, AUTHORITY, **options)


def test_a_pod_is_refused_where_the_webhook_does_not_answer():
    assert entry(PODS_WEBHOOK) == {
        "name": "pods.tensor-fusion.ai",
        "clientConfig": {
            "service": {
                "namespace": "tensor-fusion-autoscaler",
                "name": "tensor-fusion-webhook",
                "path": "/admit/pods",
                "port": 443,
            },
            "caBundle": base64.b64encode(AUTHORITY.encode()).decode(),
        },
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }
        ],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "NotIn",
                    "values": ["kube-system", "tensor-fusion-autoscaler"],
                }
            ]
        },
        "objectSelector": {"matchLabels": {"tensor-fusion.ai/enabled": "true"}},
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "None",
        "timeoutSeconds": 5,
        "admissionReviewVersions": ["v1"],
    }


def test_our_kinds_are_validated_when_they_are_created_and_changed():
    made = entry(OBJECTS_WEBHOOK)
    assert made["rules"] == [
        {
            "apiGroups": ["tensor-fusion.ai"],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": [
                "workloadprofiles",
                "tensorfusionworkloads",
                "gpuresourcequotas",
                "gpupools",
            ],
            "scope": "*",
        }
    ]
    assert (made["failurePolicy"], made["objectSelector"]) == ("Fail", {})
    assert made["clientConfig"]["service"]["path"] == "/validate/objects"


def test_templates_are_looked_at_in_every_built_in_kind_and_stop_nothing():
    made = entry(TEMPLATES_WEBHOOK)
    assert [(rule["apiGroups"], rule["resources"]) for rule in made["rules"]] == [
        (["apps"], ["deployments", "statefulsets", "daemonsets"]),
        (["batch"], ["jobs", "cronjobs"]),
    ]
    assert made["failurePolicy"] == "Ignore"
    assert len(made["matchConditions"]) == 2


def test_only_the_mutating_configuration_has_a_policy_of_reinvocation():
    for webhook in WEBHOOKS:
        is_mutating = webhook.configuration is MUTATING_CONFIGURATIONS
        assert ("reinvocationPolicy" in entry(webhook)) == is_mutating


def test_each_configuration_has_one_webhook():
    places = {(webhook.configuration.kind, webhook.configuration_name) for webhook in WEBHOOKS}
    assert len(places) == len(WEBHOOKS) == 3
    assert PODS_WEBHOOK.configuration is MUTATING_CONFIGURATIONS
    assert OBJECTS_WEBHOOK.configuration is VALIDATING_CONFIGURATIONS


def test_an_installation_elsewhere_leaves_its_own_namespace_out():
    excluded = entry(PODS_WEBHOOK, namespace="gpu")["namespaceSelector"]["matchExpressions"][0]
    assert excluded["values"] == ["kube-system", "gpu"]


def test_the_authorities_of_an_entry_are_read_again():
    assert authorities_of(entry(PODS_WEBHOOK)) == (AUTHORITY,)
    for bundle in ("", "%", "AAA", "/w==", None):
        assert authorities_of({"clientConfig": {"caBundle": bundle}}) == ()
    assert authorities_of({}) == ()
