"""Questions to the API server about rights, as it is asked them."""

import pytest

from autoscaler.errors import ForbiddenError
from autoscaler.kube.access_review import (
    Account,
    may,
    missing_rights,
    service_account,
    who_am_i,
)
from autoscaler.kube.process_rights import Right, Scope

PATCH_STATUS = Right(
    group="tensor-fusion.ai", resource="tensorfusionworkloads/status", verb="patch"
)
GET_KEY = Right(group="", resource="secrets", verb="get", name="key", scope=Scope.INSTALLATION)


class Authorizer:
    """Answers reviews; ``allowed`` are (verb, resource)."""

    def __init__(self, *allowed, may_ask_about_others=True):
        self.allowed = set(allowed)
        self.may_ask_about_others = may_ask_about_others
        self.asked = []

    def request(self, method, path, *, body):
        self.asked.append((method, path, body))
        if path.endswith("/selfsubjectreviews"):
            return {"status": {"userInfo": {"username": "alice", "groups": ["team"]}}}
        if path.endswith("/subjectaccessreviews") and not self.may_ask_about_others:
            raise ForbiddenError("403: no")
        attributes = body["spec"]["resourceAttributes"]
        return {"status": {"allowed": (attributes["verb"], attributes["resource"]) in self.allowed}}


def test_one_is_told_whom_one_is_taken_for():
    assert who_am_i(Authorizer()) == Account(user="alice", groups=("team",))


def test_a_question_names_subresource_and_scope():
    api = Authorizer(("patch", "tensorfusionworkloads"))

    assert may(api, PATCH_STATUS, namespace="ours")
    [(method, path, body)] = api.asked
    assert (method, path) == ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
    assert body["spec"] == {
        "resourceAttributes": {
            "verb": "patch",
            "group": "tensor-fusion.ai",
            "resource": "tensorfusionworkloads",
            "subresource": "status",
        }
    }


def test_a_right_of_the_installation_is_asked_for_in_its_namespace():
    api = Authorizer()

    assert not may(api, GET_KEY, namespace="ours")
    [(_, _, body)] = api.asked
    assert body["spec"]["resourceAttributes"] == {
        "namespace": "ours",
        "verb": "get",
        "resource": "secrets",
        "name": "key",
    }


def test_another_account_is_asked_about_by_name_and_groups():
    api = Authorizer()
    account = service_account("ours", "controller")

    may(api, GET_KEY, namespace="ours", account=account)

    [(_, path, body)] = api.asked
    assert path.endswith("/subjectaccessreviews")
    assert body["spec"]["user"] == "system:serviceaccount:ours:controller"
    assert "system:serviceaccounts:ours" in body["spec"]["groups"]


def test_what_is_missing_is_listed_in_the_order_of_the_rights():
    api = Authorizer(("get", "secrets"))
    rights = [PATCH_STATUS, GET_KEY, PATCH_STATUS]

    assert missing_rights(api, rights, namespace="ours") == (PATCH_STATUS, PATCH_STATUS)


def test_who_may_not_ask_about_others_is_told_so():
    api = Authorizer(may_ask_about_others=False)
    account = service_account("ours", "controller")

    with pytest.raises(ForbiddenError):
        missing_rights(api, [GET_KEY], namespace="ours", account=account)
