import copy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.webhook.environment import FieldRef
from autoscaler.webhook.inject import InjectionPlan, inject
from tests.autoscaler.webhook.pods import container, named, pod

EMBEDDED = InjectionPlan(
    containers=("main",), is_limited=True, is_gated=True, limiter_image="limiter:1"
)


def defaulted(old):
    """Return a pod as the plugins of an API server hand it on to the second call."""
    new = copy.deepcopy(old)
    for each in (*new["spec"]["containers"], *new["spec"].get("initContainers", [])):
        each.setdefault("terminationMessagePath", "/dev/termination-log")
        each.setdefault("terminationMessagePolicy", "File")
        each.setdefault("imagePullPolicy", "Always")
        token = {"name": "kube-api-access", "mountPath": "/var/run/secrets", "readOnly": True}
        each["volumeMounts"] = [*each.get("volumeMounts", []), token]
    return new


def test_what_plugins_added_to_the_limiter_stays():
    first, _ = inject(pod(), EMBEDDED)
    between = defaulted(first)
    limiter = between["spec"]["initContainers"][0]
    limiter["resources"] = {"limits": {"cpu": "1"}}
    limiter["imagePullPolicy"] = "Always"

    again, problems = inject(between, EMBEDDED)

    assert problems == ()
    assert again["spec"]["initContainers"] == [limiter]


def test_what_others_appended_between_two_calls_leaves_nothing_to_do():
    between = defaulted(inject(pod(), EMBEDDED)[0])

    assert inject(between, EMBEDDED) == (between, ())


CLIENT = InjectionPlan(
    containers=("main",),
    is_limited=False,
    is_gated=True,
    client_environment={"NAME": FieldRef("metadata.name"), "URL": "http://c?name=$(NAME)"},
)


@pytest.mark.parametrize("what", [EMBEDDED, CLIENT], ids=["embedded", "client"])
@pytest.mark.parametrize("place", [0, 99], ids=["before ours", "after ours"])
def test_ours_stay_where_they_are_when_another_webhook_adds_its_own(what, place):
    between, _ = inject(pod(), what)
    spec = between["spec"]
    for holder, key, item in (
        (spec, "initContainers", container("mesh-init")),
        (spec, "containers", container("mesh")),
        (spec, "volumes", {"name": "mesh", "emptyDir": {}}),
        (spec, "imagePullSecrets", {"name": "mesh"}),
        (spec, "schedulingGates", {"name": "mesh"}),
        (named(spec["containers"], "main"), "env", {"name": "MESH", "value": "1"}),
        (
            named(spec["containers"], "main"),
            "volumeMounts",
            {"name": "mesh", "mountPath": "/mesh"},
        ),
    ):
        holder[key] = list(holder.get(key) or ())
        holder[key].insert(place, item)

    assert inject(between, what) == (between, ())


def test_a_variable_that_another_webhook_changed_is_ours_again_where_it_stands():
    between, _ = inject(pod(), EMBEDDED)
    main = between["spec"]["containers"][0]
    main["env"].insert(0, {"name": "MESH", "value": "1"})
    expected = copy.deepcopy(between)
    main["env"][1] = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}

    assert inject(between, EMBEDDED) == (expected, ())


@pytest.mark.parametrize("order", [["URL", "NAME"], ["URL"], ["NAME", "URL", "NAME"]])
def test_a_variable_stands_behind_those_that_it_refers_to_whatever_the_pod_brings(order):
    brought = [{"name": name, "value": "mine"} for name in (*order, "OTHER")]

    environment = inject(pod(container(env=brought)), CLIENT)[0]["spec"]["containers"][0]["env"]

    assert [entry["name"] for entry in environment] == ["NAME", "URL", "OTHER"]


def test_a_copied_pod_gets_todays_limiter_in_place_of_an_earlier_one():
    copied, _ = inject(pod(), replace(EMBEDDED, limiter_image="limiter:0"))
    copied["spec"]["initContainers"][0] |= {"args": ["--never"], "restartPolicy": "Always"}
    copied["spec"]["volumes"][0]["emptyDir"] = {"sizeLimit": "8Mi"}

    assert inject(copied, EMBEDDED) == inject(pod(), EMBEDDED)


NAMES = st.sampled_from(("main", "side", "setup"))
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(("A", "LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES", "TF_LIMIT_VRAM"))},
        optional={"value": st.sampled_from(("", "/a.so", "all", "$(A)"))},
    ),
    max_size=4,
)
RESOURCES = st.none() | st.fixed_dictionaries(
    {},
    optional={
        side: st.dictionaries(
            st.sampled_from(("cpu", "memory", "nvidia.com/gpu")),
            st.sampled_from(("1", "2Gi", "1m")),
        )
        for side in ("requests", "limits")
    },
)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES},
        optional={
            "env": st.none() | ENTRIES,
            "resources": RESOURCES,
            "volumeMounts": st.none() | st.just([{"name": "data", "mountPath": "/data"}]),
        },
    ),
    min_size=1,
    max_size=3,
)
PODS = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {"containers": CONTAINERS},
            optional={
                "initContainers": st.none() | CONTAINERS,
                "volumes": st.none() | st.just([{"name": "data", "emptyDir": {}}]),
                "schedulingGates": st.none() | st.just([{"name": "x"}]),
                "imagePullSecrets": st.none() | st.just([{"name": "a"}]),
                "priority": st.just(0),
                "priorityClassName": st.sampled_from(("", "mine")),
            },
        ),
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "labels": st.none() | st.just({"a": "b"}),
                "annotations": st.none() | st.just({"gone": "b", "c": "d"}),
            },
        ),
    }
)
PLANS = st.builds(
    InjectionPlan,
    containers=st.lists(NAMES, unique=True).map(tuple),
    is_limited=st.booleans(),
    is_gated=st.booleans(),
    limiter_image=st.just("limiter:1"),
    limiter_pull_secrets=st.sampled_from(((), ("a",), ("b",))),
    priority_class=st.sampled_from((None, "tensor-fusion-high")),
    runtime_class_name=st.sampled_from(("", "nvidia")),
    client_environment=st.sampled_from(({}, {"A": "1", "B": FieldRef("metadata.name")})),
    annotations=st.sampled_from(({}, {"c": "new"})),
    labels=st.sampled_from(({}, {"x": "y"})),
    stripped_annotations=st.just(("gone",)),
)


@given(PODS, PLANS)
def test_injecting_again_changes_nothing(old, what):
    once, _ = inject(old, what)

    assert inject(once, what)[0] == once


@given(PODS, PLANS)
def test_injecting_again_is_no_problem(old, what):
    once, problems = inject(old, what)

    assert inject(once, what)[1] == problems


@given(PODS, PLANS)
def test_the_pod_that_is_injected_is_not_changed(old, what):
    before = copy.deepcopy(old)
    new, _ = inject(old, what)
    for each in new["spec"]["containers"]:
        each["env"] = [*(each.get("env") or ()), "changed afterwards"]
        (each.get("resources") or {}).clear()

    assert old == before
