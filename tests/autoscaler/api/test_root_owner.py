"""The root owner of a pod, and who owns a workload."""

import pytest

from autoscaler.api.object_key import ObjectKey
from autoscaler.api.root_owner import Owner, other_owner, owners_of, root_owner


def reference(kind, name, api_version="apps/v1", *, uid="", controls=True):
    found = {"apiVersion": api_version, "kind": kind, "name": name, "controller": controls}
    return {**found, "uid": uid} if uid else found


def owned_by(*references):
    return {"metadata": {"ownerReferences": list(references)}}


def finding(**objects):
    """Return a lookup of objects by name, and the keys that were asked for."""
    asked = []

    def find(key):
        asked.append(key)
        return objects.get(key.name)

    return find, asked


POD = owned_by(reference("ReplicaSet", "web-1", uid="r"))


def test_the_root_is_above_what_made_the_pod_with_its_uid():
    find, asked = finding(**{"web-1": owned_by(reference("Deployment", "web", uid="d"))})
    assert root_owner(POD, "team", find) == Owner(
        api_version="apps/v1", kind="Deployment", name="web", uid="d"
    )
    assert asked == [ObjectKey("apps/v1", "ReplicaSet", "team", "web-1")]


def test_a_pod_that_no_controller_made_has_no_root():
    find, asked = finding()
    held = owned_by(reference("ReplicaSet", "web-1", controls=False))
    assert [root_owner(pod, "team", find) for pod in ({}, {"metadata": {}}, held)] == [None] * 3
    assert asked == []


@pytest.mark.parametrize(
    ("kind", "api_version"),
    [("Deployment", "apps/v1"), ("Rollout", "argoproj.io/v1alpha1"), ("CronJob", "batch/v1")],
)
def test_a_pod_whose_owner_makes_no_pods_itself_has_no_root(kind, api_version):
    find, asked = finding()
    forged = owned_by({**reference(kind, "victim"), "apiVersion": api_version})
    assert root_owner(forged, "team", find) is None
    assert asked == []


def test_an_owner_that_is_not_known_is_the_root_and_told():
    find, _ = finding()
    missing = []
    found = root_owner(POD, "team", find, missing=missing.append)
    assert found == Owner(api_version="apps/v1", kind="ReplicaSet", name="web-1", uid="r")
    assert missing == [ObjectKey("apps/v1", "ReplicaSet", "team", "web-1")]


def test_a_kind_that_has_nothing_above_it_is_the_root_and_not_looked_for():
    find, asked = finding()
    found = root_owner(owned_by(reference("DaemonSet", "node")), "team", find)
    assert (found.kind_and_group, asked) == ("DaemonSet.apps", [])


def test_a_controller_above_that_the_table_does_not_name_is_not_the_root():
    find, _ = finding(**{"web-1": owned_by(reference("Pipeline", "p", "example.com/v1"))})
    assert root_owner(POD, "team", find).kind_and_group == "ReplicaSet.apps"


def test_an_installation_adds_to_the_table():
    find, _ = finding(**{"web-1": owned_by(reference("Pipeline", "p", "example.com/v1"))})
    added = {"ReplicaSet.apps": ["Pipeline.example.com"]}
    assert root_owner(POD, "team", find, added=added).name == "p"


def test_owners_in_a_circle_end():
    find, _ = finding(**{"web-1": POD})
    found = root_owner(POD, "team", find, added={"ReplicaSet.apps": ["ReplicaSet.apps"]})
    assert found.name == "web-1"


def test_all_owners_are_listed_in_their_order_and_what_names_nothing_is_left_out():
    deployment, pod = reference("Deployment", "web", uid="d"), reference("Pod", "job", "v1")
    nameless = [{}, "text", reference("Deployment", "../x"), reference("", "web")]
    found = owners_of(owned_by(*nameless, {**deployment, "controller": False}, pod))
    assert [(each.kind_and_group, each.name, each.uid) for each in found] == [
        ("Deployment.apps", "web", "d"),
        ("Pod", "job", ""),
    ]


WEB = Owner(api_version="apps/v1", kind="Deployment", name="web", uid="new")


@pytest.mark.parametrize(
    ("references", "owner", "expected"),
    [
        ([], WEB, ""),
        ([reference("Deployment", "web", uid="old")], WEB, ""),
        ([reference("Deployment", "web", "apps/v1beta1")], WEB, ""),
        ([reference("Deployment", "api")], WEB, "Deployment api"),
        ([reference("StatefulSet", "web")], WEB, "StatefulSet web"),
        ([reference("StatefulSet", "web"), reference("Deployment", "web")], WEB, ""),
        ([reference("Deployment", "web")], None, "Deployment web"),
        ([reference("Pod", "yesterday", "v1")], None, ""),
    ],
)
def test_a_workload_is_somebody_elses_where_none_of_its_owners_is_alike(
    references, owner, expected
):
    assert other_owner(owned_by(*references), owner) == expected
