"""Label selectors as Kubernetes matches them."""

import pytest

from autoscaler.api.label_selector import matches

LABELS = {"app": "web", "tier": "a"}


def needs(operator, key="app", values=()):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        (None, False),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "b"}}, False),
        ({"matchLabels": None, "matchExpressions": None}, True),
        (needs("In", values=("web", "api")), True),
        (needs("In", values=("api",)), False),
        (needs("In", key="absent", values=("web",)), False),
        (needs("NotIn", values=("web",)), False),
        (needs("NotIn", key="absent", values=("web",)), True),
        (needs("Exists"), True),
        (needs("Exists", key="absent"), False),
        (needs("DoesNotExist"), False),
        (needs("DoesNotExist", key="absent"), True),
        (needs("Like", values=("web",)), False),
        ({"matchLabels": {"app": "web"}, **needs("In", key="tier", values=("b",))}, False),
    ],
)
def test_a_selector_selects_by_labels_and_requirements(selector, expected):
    assert matches(selector, LABELS) is expected
