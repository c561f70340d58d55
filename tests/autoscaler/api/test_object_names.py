"""Names of objects as users write them."""

import pytest

from autoscaler.api.object_names import is_name, name_problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", True),
        ("web-1.eu", True),
        ("1", True),
        ("x" * 253, True),
        ("x" * 254, False),
        ("", False),
        ("Web", False),
        ("-web", False),
        ("web.", False),
        ("a..b", False),
        ("../secrets", False),
        ("web\n", False),
    ],
)
def test_a_name_is_one_that_kubernetes_takes(text, expected):
    assert is_name(text) is expected


def test_a_name_has_no_problem():
    assert name_problem("web", "metadata.name") is None


def test_what_is_no_name_is_named_with_what_is_allowed():
    assert str(name_problem("Web", "metadata.name")).startswith(
        "metadata.name: 'Web' is not valid; allowed: at most 253 lower-case letters"
    )


def test_a_long_name_is_shown_by_its_start():
    problem = str(name_problem("x" * 64, "annotation workload", longest=63))
    assert problem.startswith(f"annotation workload: '{'x' * 40}'... has 64 characters; allowed")
