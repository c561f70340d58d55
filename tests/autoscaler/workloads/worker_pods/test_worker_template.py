"""Worker pods come from the pool's template, and a user adds to it without taking anything away."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.workloads.worker_pods.template_merge import REQUIRED, merged_affinity
from autoscaler.workloads.worker_pods.worker_template import worker_template
from tests.autoscaler.workloads.objects import pool, workload

BASE = {
    "metadata": {"labels": {"team": "gpu"}, "annotations": {"example.com/a": "1"}},
    "spec": {
        "containers": [
            {"name": "proxy", "image": "proxy:1"},
            {"name": "worker", "env": [{"name": "A", "value": "1"}], "resources": {}},
        ],
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "nodeSelector": {"zone": "a"},
        "imagePullSecrets": [{"name": "pull"}],
    },
}


def made(base=BASE, image="worker:1", **spec):
    component = {"worker": {"image": image, "podTemplate": base}}
    return worker_template(workload("w", **spec), pool(componentConfig=component))


def template(base=BASE, **spec):
    found, problems = made(base, **spec)
    assert problems == ()
    return found


def problems_of(base=BASE, image="worker:1", **spec):
    found, problems = made(base, image, **spec)
    assert found is None
    return "; ".join(problems)


def test_the_image_of_the_pool_is_that_of_the_container_called_worker_else_of_the_first():
    found = template()
    assert [each["image"] for each in found.spec["containers"]] == ["proxy:1", "worker:1"]
    assert found.container == "worker"
    first = template({"spec": {"containers": [{"name": "serve"}]}})
    assert (first.container, first.spec["containers"]) == (
        "serve",
        [{"name": "serve", "image": "worker:1"}],
    )
    assert template({}).spec["containers"] == [{"name": "worker", "image": "worker:1"}]


def test_a_template_may_stand_in_a_field_of_its_own_as_in_a_pod_template_object():
    assert template({"template": BASE}).spec == template().spec


def test_what_the_user_says_is_added_and_nothing_of_the_pool_is_lost():
    added = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {
            "containers": [
                {
                    "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}],
                    "resources": {"limits": {"cpu": "1"}},
                }
            ],
            "tolerations": [{"key": "mine", "operator": "Exists"}],
            "nodeSelector": {"disk": "ssd"},
            "imagePullSecrets": [{"name": "other"}],
            "terminationGracePeriodSeconds": 5,
        },
    }
    found = template(workerPodTemplate=added)
    assert dict(found.labels) == {"team": "gpu", "app": "x"}
    assert dict(found.annotations) == {"example.com/a": "1"}
    assert found.spec["containers"][1]["env"] == [
        {"name": "A", "value": "2"},
        {"name": "B", "value": "3"},
    ]
    assert found.spec["containers"][1]["resources"] == {"limits": {"cpu": "1"}}
    assert [each["key"] for each in found.spec["tolerations"]] == ["gpu", "mine"]
    assert found.spec["nodeSelector"] == {"zone": "a", "disk": "ssd"}
    assert found.spec["imagePullSecrets"] == [{"name": "pull"}, {"name": "other"}]
    assert found.spec["terminationGracePeriodSeconds"] == 5


def test_no_token_is_mounted_whatever_the_pool_says():
    for asked in ({}, {"spec": {"automountServiceAccountToken": True}}):
        assert template(asked).spec["automountServiceAccountToken"] is False


def test_the_hash_follows_what_a_running_worker_cannot_follow_and_not_the_amounts():
    first = template().hash
    amounts = {"requests": {"tflops": "5"}}
    assert template(resources=amounts, replicas=4, autoScalingConfig={}).hash == first
    others = [
        template(gpuCount=2),
        template(gpuModel="A100"),
        template(qos="high"),
        template(isolation="shared"),
        template(workerPodTemplate={"spec": {"nodeSelector": {"a": "b"}}}),
        template({}),
    ]
    assert len({first, *(each.hash for each in others)}) == len(others) + 1


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"image": ""}, "spec.componentConfig.worker.image: not set"),
        ({"base": {"spec": 5}}, "podTemplate.spec: 5 is not valid; allowed: a mapping"),
        (
            {"base": {"spec": {"containers": {}}}},
            "podTemplate.spec.containers: 'a dict' is not valid",
        ),
        ({"base": {"spec": {"containers": [{}]}}}, "containers[0].name: not set"),
        ({"base": {"template": "x"}}, "podTemplate: 'x' is not valid"),
        ({"base": {"strategy": {"rollingUpdate": {"maxSurge": "x"}}}}, "maxSurge: 'x'"),
        ({"workerPodTemplate": {"spec": {"hostPID": True}}}, "hostPID: is not allowed"),
        ({"workerPodTemplate": {"spec": {"affinity": []}}}, "affinity: 'a list' is not valid"),
        (
            {"workerPodTemplate": {"spec": {"containers": [{"name": "x"}]}}},
            "'x' is no container of the pool's template; allowed: proxy, worker",
        ),
        ({"nodeAffinity": {REQUIRED: [1]}}, "spec.nodeAffinity"),
        (
            {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{}] * 21}}},
            f"spec.nodeAffinity.{REQUIRED}.nodeSelectorTerms: has 21 terms; allowed: at most 20",
        ),
    ],
)
def test_what_gives_no_pod_is_named_with_its_place(fields, part):
    assert part in problems_of(**fields)


def term(*labels):
    return {"matchExpressions": [{"key": each, "operator": "Exists"} for each in labels]}


def node_affinity(*terms):
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


TERMS = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=2), max_size=3)


@given(TERMS, TERMS, st.sets(st.sampled_from("abc")))
def test_a_node_fits_the_merged_affinity_exactly_where_it_fits_both(ours, theirs, labels):
    def fits(terms):
        return not terms or any(set(each) <= labels for each in terms)

    both = merged_affinity(
        node_affinity(*(term(*each) for each in ours)),
        node_affinity(*(term(*each) for each in theirs)),
    )
    required = both["nodeAffinity"].get(REQUIRED) or {"nodeSelectorTerms": []}
    merged = [
        [each["key"] for each in found["matchExpressions"]]
        for found in required["nodeSelectorTerms"]
    ]
    assert fits(merged) == (fits(ours) and fits(theirs))


def test_the_node_affinity_of_the_workload_holds_together_with_the_pool_s():
    base = {"spec": {"affinity": node_affinity(term("a"), term("b"))}}
    required = {REQUIRED: {"nodeSelectorTerms": [term("c")]}}
    found = template(base, nodeAffinity=required)
    assert found.spec["affinity"] == node_affinity(term("a", "c"), term("b", "c"))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["spec", "metadata", "containers", "affinity", "nodeAffinity", "env", "labels"]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["spec", "metadata", "template", "strategy"]), JSON), JSON)
def test_whatever_is_written_gives_a_template_or_says_what_is_wrong(base, added):
    found, problems = made(base, workerPodTemplate=added)
    assert (found is None) == bool(problems)
    if found is not None:
        json.dumps(found.pod(workload("w"), "name"))
