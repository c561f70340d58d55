"""Whether a node has what a pod asks of it.  The real scheduler's word is in ``tests/cluster``."""

import pytest

from autoscaler.workloads.nodes.node_books import NodeTaken
from autoscaler.workloads.nodes.node_fit import is_ready, misfit
from autoscaler.workloads.nodes.node_needs import needs_of
from autoscaler.workloads.nodes.pod_requests import HostPort
from autoscaler.workloads.nodes.volumes import VolumeTerm
from tests.autoscaler.workloads.objects import GIB, HOSTNAME, node, pod

NOTHING = NodeTaken()
DEDICATED = {"key": "team", "value": "a", "effect": "NoSchedule"}
IN_A = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}


def problem(obj, on, taken=NOTHING, volumes=()):
    return misfit(needs_of(obj, volumes), on, taken)


def tolerating(**toleration):
    return pod(tolerations=[toleration])


def tainted(**taint):
    return node(taints=[{**DEDICATED, **taint}])


def required(*terms):
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return pod(affinity={"nodeAffinity": rule})


def test_a_ready_node_with_room_will_do():
    assert problem(pod(requests={"cpu": "16", "memory": "64Gi"}), node()) == ""


def test_a_node_that_is_not_ready_will_not_do_for_anybody():
    everything = tolerating(operator="Exists")
    assert problem(everything, node(is_ready=False)) == "not Ready"
    assert problem(everything, {**node(), "status": {}}) == "not Ready"
    assert is_ready(node())


def test_a_cordoned_node_will_do_only_for_pods_that_tolerate_it():
    cordoned = node(unschedulable=True)
    assert problem(pod(), cordoned) == "cordoned"
    toleration = {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}
    assert problem(tolerating(**toleration), cordoned) == ""


def test_a_node_that_is_being_deleted_will_not_do():
    leaving = node(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert problem(pod(), leaving) == "being deleted"


def test_a_taint_is_named_with_value_and_effect():
    assert problem(pod(), tainted()) == "taint team=a:NoSchedule"
    assert problem(pod(), tainted(effect="NoExecute")) == "taint team=a:NoExecute"
    bare = node(taints=[{"key": "team", "effect": "NoSchedule"}])
    assert problem(pod(), bare) == "taint team:NoSchedule"


def test_a_taint_that_only_prefers_keeps_nobody_off():
    assert problem(pod(), tainted(effect="PreferNoSchedule")) == ""


@pytest.mark.parametrize(
    ("is_tolerated", "toleration"),
    [
        (True, {"key": "team", "value": "a"}),
        (True, {"key": "team", "operator": "Equal", "value": "a", "effect": "NoSchedule"}),
        (True, {"key": "team", "operator": "Exists"}),
        (True, {"operator": "Exists"}),
        (True, {"operator": "Exists", "effect": "NoSchedule"}),
        (False, {"key": "team", "value": "b"}),
        (False, {"key": "team"}),
        (False, {"key": "other", "operator": "Exists"}),
        (False, {"operator": "Exists", "effect": "NoExecute"}),
        (False, {"key": "team", "operator": "Near", "value": "a"}),
    ],
)
def test_tolerations(is_tolerated, toleration):
    assert (problem(tolerating(**toleration), tainted()) == "") is is_tolerated


@pytest.mark.parametrize(
    ("is_tolerated", "operator", "value"),
    [
        (True, "Gt", "900"),
        (False, "Gt", "950"),
        (True, "Lt", "951"),
        (False, "Lt", "950"),
        (False, "Lt", "much"),
    ],
)
def test_tolerations_that_compare_numbers(is_tolerated, operator, value):
    toleration = {"key": "team", "operator": operator, "value": value}
    found = problem(tolerating(**toleration), tainted(value="950"))
    assert (found == "") is is_tolerated


def test_one_toleration_per_taint_is_needed():
    twice = node(taints=[DEDICATED, {"key": "gpu", "effect": "NoSchedule"}])
    assert problem(tolerating(key="team", operator="Exists"), twice) == "taint gpu:NoSchedule"


def test_the_node_selector_names_the_label_that_differs():
    obj = pod(nodeSelector={"zone": "a"})
    assert problem(obj, node(labels={"zone": "a"})) == ""
    assert problem(obj, node(labels={"zone": "b"})) == "node selector zone=a"


def test_a_node_without_hostname_label_cannot_be_named_to_the_scheduler():
    nameless = node(metadata={"labels": {}})
    assert problem(pod(), nameless) == f"no label {HOSTNAME}"


def test_required_node_affinity_and_selector_both_count():
    assert problem(required(IN_A), node(labels={"zone": "a"})) == ""
    assert problem(required(IN_A), node(labels={"zone": "b"})) == "required node affinity"
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"preference": IN_A}]}
    assert problem(pod(affinity={"nodeAffinity": preferred}), node()) == ""


def test_what_is_taken_is_not_free():
    taken = NodeTaken(amounts={"cpu": 14_500, "memory": 60 * GIB}, pods=3)
    asking = pod(requests={"cpu": "2", "memory": "1Gi"})
    expected = "Insufficient cpu (asks for 2, 1500m of 16 free)"
    assert problem(asking, node(), taken) == expected
    assert problem(pod(requests={"cpu": "1500m", "memory": "4Gi"}), node(), taken) == ""
    expected = "Insufficient memory (asks for 5Gi, 4Gi of 64Gi free)"
    assert problem(pod(requests={"memory": "5Gi"}), node(), taken) == expected


def test_a_node_that_is_overfull_still_takes_pods_that_request_nothing():
    assert problem(pod(), node(), NodeTaken(amounts={"cpu": 99_000}, pods=1)) == ""


def test_a_resource_that_a_node_does_not_have_is_insufficient():
    asking = pod(requests={"a.com/b": "1"})
    assert problem(asking, node()) == "Insufficient a.com/b (asks for 1, 0 of 0 free)"
    assert problem(asking, node(allocatable={"a.com/b": "1"})) == ""


def test_a_node_has_places_for_so_many_pods():
    small = node(allocatable={"pods": "2"})
    assert problem(pod(), small, NodeTaken(pods=1)) == ""
    assert problem(pod(), small, NodeTaken(pods=2)) == "Too many pods (2 on it)"


def test_a_host_port_is_taken_once():
    obj = pod()
    obj["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
    taken = NodeTaken(pods=1, host_ports={HostPort("TCP", "10.0.0.1", 80)})
    assert problem(obj, node(), taken) == "host port 80/TCP taken"
    assert problem(obj, node(), NodeTaken(host_ports={HostPort("UDP", "0.0.0.0", 80)})) == ""


def test_volumes_bind_a_pod_to_their_zone():
    volumes = (VolumeTerm(claim="data", terms=(IN_A,)),)
    assert problem(pod(), node(labels={"zone": "a"}), volumes=volumes) == ""
    expected = "volume of claim data elsewhere"
    assert problem(pod(), node(labels={"zone": "b"}), volumes=volumes) == expected


def test_a_claim_that_is_not_there_is_said():
    missing = (VolumeTerm(claim="data", problem="PersistentVolumeClaim data does not exist"),)
    found = problem(pod(), node(), volumes=missing)
    assert found == "PersistentVolumeClaim data does not exist"
