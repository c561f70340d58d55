"""Node selector terms against nodes."""

import pytest

from autoscaler.workloads.nodes.node_terms import integer_of, matches_any
from tests.autoscaler.workloads.objects import node

NODE = node("n1", labels={"zone": "a", "size": "10", "odd": "ten"})


def term(key, operator, *values, part="matchExpressions"):
    return {part: [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("matches", "requirement"),
    [
        (True, term("zone", "In", "b", "a")),
        (False, term("zone", "In", "b")),
        (False, term("gone", "In", "a")),
        (True, term("zone", "NotIn", "b")),
        (False, term("zone", "NotIn", "a")),
        (True, term("gone", "NotIn", "a")),
        (True, term("zone", "Exists")),
        (False, term("gone", "Exists")),
        (True, term("gone", "DoesNotExist")),
        (False, term("zone", "DoesNotExist")),
        (True, term("size", "Gt", "9")),
        (False, term("size", "Gt", "10")),
        (True, term("size", "Lt", "11")),
        (False, term("size", "Lt", "10")),
        (False, term("odd", "Gt", "1")),
        (False, term("gone", "Lt", "1")),
        (False, term("size", "Gt", "1_0")),
        (False, term("zone", "Near", "a")),
        (True, term("metadata.name", "In", "n1", part="matchFields")),
        (False, term("metadata.name", "In", "n2", part="matchFields")),
        (True, term("metadata.name", "NotIn", "n2", part="matchFields")),
        (False, {}),
        (False, {"matchExpressions": []}),
    ],
)
def test_a_term_matches_a_node(matches, requirement):
    assert matches_any([requirement], NODE) is matches


def test_all_requirements_of_a_term_hold_and_of_several_terms_one():
    in_a, in_b = term("zone", "In", "a"), term("zone", "In", "b")
    both = {"matchExpressions": in_a["matchExpressions"] + in_b["matchExpressions"]}
    assert not matches_any([both], NODE)
    assert matches_any([in_b, in_a], NODE)
    elsewhere = {**in_a, **term("metadata.name", "In", "n2", part="matchFields")}
    assert not matches_any([elsewhere], NODE)


def test_no_terms_match_no_node():
    assert not matches_any([], NODE)


def test_integers_are_those_of_64_bits():
    texts = ("7", "-7", "+7", "9223372036854775807", "9223372036854775808", " 7", "7_0", "", "x")
    read = [integer_of(text) for text in texts]
    assert read == [7, -7, 7, 2**63 - 1, None, None, None, None, None]
