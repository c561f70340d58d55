"""What an installation may decide about its autoscaler."""

import pytest

from autoscaler.errors import UsageError
from autoscaler.scaling.loop import LoopSettings
from autoscaler.scaling.running.profile import Profile
from autoscaler.scaling.running.rules import AutoscalerRules
from recommender.decision import Layer


def test_an_instance_for_some_namespaces_has_a_lease_of_its_own():
    named = AutoscalerRules(namespace_selector="team=search", instance="search")

    assert AutoscalerRules().lease_name == "tensor-fusion-autoscaler"
    assert named.lease_name == "tensor-fusion-autoscaler-search"


def test_limits_and_replicas_are_looked_at_with_every_tick():
    rules = AutoscalerRules(tick_s=2.5, requests_every_s=90.0)

    assert rules.period_s == {Layer.REQUESTS: 90, Layer.LIMITS: 2, Layer.REPLICAS: 2}


@pytest.mark.parametrize(
    "selector", ["a=b", "a==b,c!=d", "example.com/team in (a, b),!old", "a notin (b), c", "a="]
)
def test_namespaces_are_chosen_as_kubectl_chooses_by_labels(selector):
    rules = AutoscalerRules(namespace_selector=selector, instance="search")

    assert rules.namespace_selector == selector


@pytest.mark.parametrize(("tick_s", "within_s"), [(15.0, 12.0), (1.0, 2.0)])
def test_a_tick_begins_no_write_that_might_not_end_before_the_next_one(tick_s, within_s):
    assert AutoscalerRules(tick_s=tick_s).apply_within_s == within_s


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tick_s": 0.5}, "--tick: 0.5s is not valid; allowed: 1s to 300s"),
        ({"tick_s": 301.0}, "--tick: 301s is not valid; allowed: 1s to 300s"),
        ({"requests_every_s": 0.5}, "--requests-every: 0.5s is not valid; allowed: 1s to 86400s"),
        ({"step_s": 0}, "--step: 0s is not valid; allowed: 1s to 60s"),
        ({"step_s": 90}, "--step: 90s is not valid; allowed: 1s to 60s"),
        ({"since_s": 59}, "--since: 59s is not valid; allowed: 60s and longer"),
        ({"checkpoint_every_s": 1.0}, "--checkpoint-every: 1s is not valid; allowed: 10s and"),
        ({"page_every_s": 1.0}, "--page-every: 1s is not valid; allowed: 5s and longer"),
        ({"train_every_s": 59.0}, "--train-every: 59s is not valid; allowed: 60s and longer"),
        ({"instance": "a"}, "--namespace-selector and --instance: give both, or none"),
        ({"namespace_selector": "a=b"}, "--namespace-selector and --instance: give both"),
        (
            {"namespace_selector": "a in b", "instance": "search"},
            "--namespace-selector: 'a in b' is not valid; allowed: labels as kubectl -l takes them",
        ),
        (
            {"namespace_selector": "a=b", "instance": "Search_1"},
            "--instance: 'Search_1' is not valid; allowed: up to 32 of a-z, 0-9 and '-'",
        ),
        (
            {
                "namespace_selector": "a=b",
                "instance": "search",
                "profile": Profile.RECOMMEND_ONLY,
            },
            "not with --profile recommend-only",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_refused_with_what_is_allowed(values, message):
    with pytest.raises(UsageError) as raised:
        AutoscalerRules(**values)

    assert message in str(raised.value)


def test_a_process_looks_as_often_as_a_loop_does_where_nobody_says_otherwise():
    assert AutoscalerRules().period_s == LoopSettings().period_s
