"""Which of a pool's rules speaks for a pod."""

import pytest

from autoscaler.api.pool_rules import rule_for

WEB = {"name": "web", "podSelector": {"matchLabels": {"app": "web"}}}
ALL = {"name": "all"}


@pytest.mark.parametrize(
    ("rules", "labels", "expected"),
    [
        ([WEB, ALL], {"app": "web"}, WEB),
        ([ALL, WEB], {"app": "web"}, ALL),
        ([WEB, ALL], {"app": "batch"}, ALL),
        ([WEB], {"app": "batch"}, None),
        ([{**ALL, "podSelector": {}}], {}, {**ALL, "podSelector": {}}),
        ([], {}, None),
        (None, {}, None),
    ],
)
def test_the_first_rule_that_selects_the_pod_speaks_for_it(rules, labels, expected):
    assert rule_for({"rules": rules}, labels) == expected


def test_a_pool_without_rules_has_none():
    assert rule_for({}, {"app": "web"}) is None
