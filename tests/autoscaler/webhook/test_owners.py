"""The root owner of a pod, and the workload that is named after it."""

import pytest

from autoscaler.api.names import PREFIX
from autoscaler.api.object_key import ObjectKey
from autoscaler.webhook.snapshot import Installation
from tests.autoscaler.webhook.asking import AMOUNTS, admitted, asked, asking
from tests.autoscaler.webhook.clusters import (
    APPLY,
    cluster,
    made,
    owned,
    profile,
    workload,
)

LWS = "leaderworkerset.x-k8s.io/v1"


def owner(kind, name, api_version="apps/v1", under=None):
    obj = made(kind, name, api_version=api_version)
    return obj if under is None else owned(obj, under)


def workload_of(obj, snapshot=None):
    return admitted(obj, snapshot).annotations["workload"]


@pytest.mark.parametrize(
    ("chain", "name"),
    [
        ([("Deployment", "web", "apps/v1"), ("ReplicaSet", "web-1", "apps/v1")], "web"),
        (
            [("Rollout", "web", "argoproj.io/v1alpha1"), ("ReplicaSet", "web-1", "apps/v1")],
            "web-rollout",
        ),
        ([("CronJob", "etl", "batch/v1"), ("Job", "etl-1", "batch/v1")], "etl-cronjob"),
        ([("JobSet", "fit", "jobset.x-k8s.io/v1alpha2"), ("Job", "a", "batch/v1")], "fit-jobset"),
        (
            [("LeaderWorkerSet", "llm", LWS), ("StatefulSet", "llm", "apps/v1")],
            "llm-leaderworkerset",
        ),
        ([("ReplicaSet", "alone", "apps/v1")], "alone-replicaset"),
        ([("DaemonSet", "node", "apps/v1")], "node-daemonset"),
        ([("Pipeline", "p", "example.com/v1"), ("ReplicaSet", "p-1", "apps/v1")], "p-1-replicaset"),
        ([("Deployment", "web", "apps/v1"), ("RayCluster", "ray", "ray.io/v1")], "ray-raycluster"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_the_workload_is_named_after_the_root_owner(chain, name):
    objects = []
    for kind, own, api_version in chain:
        objects.append(owner(kind, own, api_version, under=objects[-1] if objects else None))
    assert workload_of(owned(asking(**AMOUNTS), objects[-1]), cluster(*objects)) == name


def test_an_installation_adds_kinds_that_may_stand_above():
    job = owner("RayJob", "night", "ray.io/v1")
    ray = owner("RayCluster", "night-x", "ray.io/v1", under=job)
    installation = Installation(
        limiter_image="x",
        root_owners={"RayCluster.ray.io": ["RayJob.ray.io"]},
    )
    snapshot = cluster(ray, installation=installation)
    assert workload_of(owned(asking(**AMOUNTS), ray), snapshot) == "night-rayjob"


def test_an_owner_that_cannot_be_found_is_noted_and_stands_in_for_the_root():
    obj = owned(asking(**AMOUNTS), owner("ReplicaSet", "web-1"))
    admission = asked(obj)
    assert admission.missing == (ObjectKey("apps/v1", "ReplicaSet", "team", "web-1"),)
    assert workload_of(obj) == "web-1-replicaset"


def test_an_owner_that_does_not_control_the_pod_is_none():
    obj = owned(asking(**AMOUNTS), owner("ReplicaSet", "web-1"))
    obj["metadata"]["ownerReferences"][0]["controller"] = False
    assert (workload_of(obj), asked(obj).missing) == ("job", ())


@pytest.mark.parametrize("name", ["../secrets/x", "", "a/b", None])
def test_an_owner_with_a_name_that_is_none_is_never_looked_for(name):
    obj = owned(asking(**AMOUNTS), owner("ReplicaSet", "web-1"))
    obj["metadata"]["ownerReferences"][0]["name"] = name
    assert asked(obj).missing == ()


def test_owners_in_a_circle_end():
    first = owner("ReplicaSet", "a")
    second = owned(owner("ReplicaSet", "b"), first)
    installation = Installation(
        limiter_image="x",
        root_owners={"ReplicaSet.apps": ["ReplicaSet.apps"]},
    )
    snapshot = cluster(owned(first, second), second, installation=installation)
    assert workload_of(owned(asking(**AMOUNTS), first), snapshot).endswith("-replicaset")


@pytest.mark.parametrize(("generate_name", "name"), [("job-", "job"), ("a.b-", "a.b")])
def test_a_pod_with_only_a_prefix_is_named_after_it(generate_name, name):
    obj = asking(**AMOUNTS)
    del obj["metadata"]["name"]
    obj["metadata"]["generateName"] = generate_name
    assert workload_of(obj) == name


def test_a_long_derived_name_is_cut_and_fits_into_a_label():
    daemons = owner("DaemonSet", "w" * 200)
    found = admitted(owned(asking(**AMOUNTS), daemons), cluster(daemons))
    assert len(found.labels["workload"]) == 63


def test_an_annotation_names_the_workload():
    deployment = owner("Deployment", "web")
    obj = owned(asking(workload="shared", **AMOUNTS), deployment)
    found = admitted(obj, cluster(deployment))
    assert (found.annotations["workload"], found.labels["workload"]) == ("shared", "shared")


def test_the_name_does_not_depend_on_the_request():
    obj = asking(**AMOUNTS)
    assert asked(obj) == asked({**obj, "metadata": {**obj["metadata"], "uid": "2"}})
    assert PREFIX in str(asked(obj).patch)


SCALED = {"limits": {"tflops": "35"}}
ENROLLED = {"autoScalingConfig": {"autoSetLimits": {"enable": True}}}


def of_name(name, *owners):
    """Return the workload of a name, which these own, and which was scaled."""
    references = [
        {"apiVersion": api_version, "kind": kind, "name": own, "uid": "1", "controller": False}
        for api_version, kind, own in owners
    ]
    found = workload(name, SCALED)
    return {**found, "metadata": {**found["metadata"], "ownerReferences": references}}


def limit_of(obj, *objects):
    snapshot = cluster(profile(**ENROLLED), *objects, control=APPLY)
    found = admitted(obj, snapshot)
    again = asked(found.pod, snapshot)
    assert (again.patch, again.error) == ((), "")
    return found.amounts()["tflops-limit"], found.warnings


STATED = {"is_local_gpu": "true", "workload_profile": "small", "tflops_limit": "20"}
DEPLOYMENT, STATEFUL = ("apps/v1", "Deployment", "a-statefulset"), ("apps/v1", "StatefulSet", "a")


def test_a_workload_that_another_owner_of_the_same_derived_name_has_does_not_speak_for_a_pod():
    obj = owned(asking(**STATED), owner("StatefulSet", "a"))
    amount, (warning,) = limit_of(obj, of_name("a-statefulset", DEPLOYMENT))
    assert amount == "20"
    assert warning == (
        "the workload a-statefulset, as this pod's is called, belongs to Deployment a-statefulset; "
        "the pod starts with its declared amounts, and its use is counted there: name another "
        f"workload in annotation {PREFIX}workload"
    )


@pytest.mark.parametrize("owners", [(), (STATEFUL,), (DEPLOYMENT, STATEFUL)])
def test_a_workload_of_nobody_or_of_several_owners_speaks_for_each_of_them(owners):
    obj = owned(asking(**STATED), owner("StatefulSet", "a"))
    assert limit_of(obj, of_name("a-statefulset", *owners)) == ("35", ())


@pytest.mark.parametrize(
    ("owners", "amount"),
    [([("v1", "Pod", "job-of-yesterday")], "35"), ([("apps/v1", "Deployment", "job")], "20")],
)
def test_a_bare_pod_shares_a_derived_name_with_bare_pods_only(owners, amount):
    assert limit_of(asking(**STATED), of_name("job", *owners))[0] == amount


def test_a_workload_that_is_named_on_purpose_speaks_for_everybody():
    obj = owned(asking(workload="shared", **STATED), owner("StatefulSet", "a"))
    assert limit_of(obj, of_name("shared", DEPLOYMENT)) == ("35", ())
