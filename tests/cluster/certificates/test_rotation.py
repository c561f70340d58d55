"""Certificates rotate under load, and no admission fails; in the wrong order they do."""

import json

import pytest

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE
from autoscaler.clock import SystemClock
from autoscaler.errors import InvalidError
from autoscaler.kube.certificates import new_authority_and_serving
from autoscaler.kube.resource import SECRETS
from autoscaler.kube.rotation import RotationRules
from autoscaler.kube.rotation_action import Action
from tests.cluster.admission_server import AdmissionServer
from tests.cluster.certificates.asking import load
from tests.cluster.certificates.installation import (
    filled,
    keeper_of,
    run_until_it_writes,
    running,
)
from tests.components.processes import until

FAST = RotationRules(lifetime_s=300, renew_at_share=304 / 600, settle_s=2, overlap_s=1)
"""A certificate is renewed 4 s after it was issued: the 300 s before count as well."""
ROTATION_DEADLINE_S = 180.0
"""On a busy machine; certificates go on being renewed meanwhile."""
UNKNOWN_AUTHORITY = "certificate signed by unknown authority"


def test_no_admission_fails_while_certificates_rotate(api, admin, webhook):
    with AdmissionServer() as second:
        second.follow(admin)
        keeper = filled(
            keeper_of(api, webhook, second, check_every_s=0.5, rotation=FAST), admin, webhook
        )
        first = webhook.serving
        with load(admin) as answers, running(keeper):
            until(
                lambda: Action.DROP in keeper.snapshot().steps,
                what="a rotation is through",
                deadline_s=ROTATION_DEADLINE_S,
            )
        assert webhook.serving != first
        assert {*answers} == {""}
        assert answers[""] > 100


def test_in_the_wrong_order_admissions_fail(api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    other = new_authority_and_serving(["127.0.0.1"], now_s=SystemClock().now_s(), lifetime_s=1000)
    with load(admin) as answers:
        until(lambda: answers.get(""), what="admissions succeed")
        webhook.follow_nothing()
        webhook.load(other.serving)
        until(lambda: len(answers) > 1, what="admissions fail")
    assert any(UNKNOWN_AUTHORITY in text for text in answers)


def test_a_deleted_secret_is_replaced_under_load_without_a_failure(plane, api, admin, webhook):
    rules = {"rotation": RotationRules(settle_s=2), "check_every_s": 0.5}
    keeper = filled(keeper_of(api, webhook, **rules), admin, webhook)
    first = webhook.serving
    with load(admin) as answers, running(keeper):
        plane.kubectl("delete", "secret", CERTIFICATE_SECRET, "-n", NAMESPACE).well()
        until(lambda: webhook.serving != first, what="another certificate is served")
        before = answers[""]
        until(lambda: answers[""] > before + 20, what="admissions go on")
    assert {*answers} == {""}


def test_keepers_that_end_after_each_write_rotate_as_well(api, admin, webhook):
    rules = {"rotation": FAST, "check_every_s": 0.5}
    filled(keeper_of(api, webhook, **rules), admin, webhook)
    first = webhook.serving
    with load(admin) as answers:
        while webhook.serving == first:
            run_until_it_writes(keeper_of(api, webhook, **rules))
    assert {*answers} == {""}


def test_a_secret_of_another_type_with_broken_content_is_used(plane, api, admin, webhook):
    broken = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": CERTIFICATE_SECRET, "namespace": NAMESPACE},
        "data": {"tls.crt": "", "tls.key": ""},
    }
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(broken)).well()
    filled(keeper_of(api, webhook), admin, webhook)
    assert admin.get(SECRETS, CERTIFICATE_SECRET, NAMESPACE)["type"] == "kubernetes.io/tls"


def test_an_immutable_secret_is_an_error_that_says_so(plane, api, admin, webhook):
    fixed = {
        "apiVersion": "v1",
        "kind": "Secret",
        "immutable": True,
        "metadata": {"name": CERTIFICATE_SECRET, "namespace": NAMESPACE},
    }
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(fixed)).well()
    keeper = keeper_of(api, webhook)
    with pytest.raises(InvalidError, match="immutable"):
        keeper.run_once()
    assert "immutable" in keeper.snapshot().last_error
