"""WorkloadProfile manifests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.policy.profiles import find_profile, read_profiles

PROFILE = """
apiVersion: tensor-fusion.ai/v1
kind: WorkloadProfile
metadata: {name: small, namespace: team-a}
spec: {qos: low}
"""


def test_profiles_are_found_among_other_documents():
    text = f"---\nkind: Deployment\nmetadata: {{name: x}}\n---\n{PROFILE}\n---\n"
    assert read_profiles(text, "all.yaml") == ({("team-a", "small"): {"qos": "low"}}, ())


def test_profiles_are_found_in_a_list():
    item = "{kind: WorkloadProfile, metadata: {name: b}, spec: {gpuCount: 2}}"
    profiles, problems = read_profiles(f"kind: List\nitems: [{item}]", "list.yaml")
    assert (profiles, problems) == ({("", "b"): {"gpuCount": 2}}, ())


def test_a_profile_without_spec_is_empty():
    profiles, _ = read_profiles("kind: WorkloadProfile\nmetadata: {name: b}", "f")
    assert profiles == {("", "b"): {}}


def test_the_same_kind_of_another_group_is_passed_over():
    text = PROFILE.replace("tensor-fusion.ai/v1", "example.com/v1")
    assert read_profiles(text, "f") == ({}, ())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1", "f:1:6: is no YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 2024-99-99", "f: is no YAML: month must be in 1..12"),
        ("- 1", "f document 1: a list is no Kubernetes object; allowed: a mapping"),
        (
            "kind: WorkloadProfile",
            "f document 1 metadata.name: a WorkloadProfile needs a name",
        ),
        (
            "kind: WorkloadProfile\nmetadata: {name: a}\nspec: 3",
            "f document 1 spec: 3 is not valid; allowed: a mapping",
        ),
        (
            f"{PROFILE}---{PROFILE}",
            "f document 2: team-a/small is defined twice; the last definition counts",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(text, problem):
    _, problems = read_profiles(text, "f")
    assert [str(found) for found in problems] == [problem]


@given(st.text())
def test_reading_any_text_never_raises(text):
    profiles, _ = read_profiles(text, "f")
    assert profiles == {}


def test_deep_nesting_is_a_problem_and_no_crash():
    _, problems = read_profiles("[" * 5000, "deep.yaml")
    assert [problem.path for problem in problems] == ["deep.yaml"]


def test_a_profile_of_the_namespace_wins_over_one_without():
    profiles = {("a", "p"): {"qos": "low"}, ("", "p"): {"qos": "high"}}
    assert find_profile(profiles, "a", "p") == ("a/p", {"qos": "low"})
    assert find_profile(profiles, "b", "p") == ("p", {"qos": "high"})
    assert find_profile(profiles, "a", "q") is None
