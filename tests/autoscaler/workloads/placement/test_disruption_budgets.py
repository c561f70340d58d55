"""Which pods cannot be evicted together."""

from autoscaler.workloads.placement.disruption_budgets import refused
from tests.autoscaler.workloads.objects import made, placed


def budget(allowed, **labels):
    return made(
        "PodDisruptionBudget",
        f"budget-{allowed}",
        api_version="policy/v1",
        spec={"selector": {"matchLabels": labels}},
        status={"disruptionsAllowed": allowed},
    )


def pod(name, *, is_ready=True, **labels):
    found = placed(name, labels=labels)
    condition = {"type": "Ready", "status": "True" if is_ready else "False"}
    return {**found, "status": {**found["status"], "conditions": [condition]}}


def names(pods, budgets):
    uids = refused(pods, budgets)
    return [each["metadata"]["name"] for each in pods if each["metadata"]["uid"] in uids]


def test_pods_share_what_their_budget_allows():
    pods = [pod(name, app="a") for name in ("a-1", "a-2", "a-3")]
    assert names(pods, [budget(2, app="a")]) == ["a-3"]
    assert names(pods, [budget(3, app="a")]) == []


def test_pods_without_a_budget_may_all_go():
    pods = [pod("a", app="a"), pod("b", app="b")]
    assert names(pods, []) == []
    assert names(pods, [budget(0, app="b")]) == ["b"]


def test_a_pod_that_is_not_ready_takes_nothing_of_a_budget():
    pods = [pod("unready", is_ready=False, app="a"), pod("ready", app="a")]
    assert names(pods, [budget(1, app="a")]) == []


def test_a_pod_with_two_budgets_stays():
    pods = [pod("a", app="a", tier="x")]
    assert names(pods, [budget(5, app="a"), budget(4, tier="x")]) == ["a"]


def test_a_budget_that_nothing_is_known_of_allows_nothing():
    unknown = {**budget(1, app="a"), "status": {}}
    assert names([pod("a", app="a")], [unknown]) == ["a"]
