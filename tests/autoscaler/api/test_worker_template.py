"""Templates of worker pods, as text and as an object."""

import pytest

from autoscaler.api.worker_template import check_template, read_template

TEMPLATE = {"metadata": {"labels": {"team": "a"}}, "spec": {"nodeSelector": {"zone": "a"}}}


def test_a_lawful_text_is_read_and_has_no_problems():
    text = "metadata: {labels: {team: a}}\nspec: {nodeSelector: {zone: a}}"
    assert read_template(text, "annotation x") == (TEMPLATE, ())
    assert check_template(TEMPLATE, "spec.workerPodTemplate") == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "t: is no YAML: expected the node content, but found '<stream end>' (line 1); "),
        ("\x00", "t: is no YAML; allowed: a pod template"),
        ("just text", "t: 'just text' is not valid; allowed: a mapping of metadata and spec"),
        ("", "t: None is not valid; allowed: a mapping of metadata and spec"),
        ("a: &a 1\nb: *a", "t: uses aliases (*name); allowed: every value written out"),
        ("[" * 200, "t: has more than 100 opening brackets"),
        ("spec: {volumes: []}", "t.spec.volumes: is not allowed; allowed: affinity, containers"),
    ],
)
def test_a_text_that_is_no_lawful_template_gives_none_and_says_why(text, problem):
    template, problems = read_template(text, "t")
    assert template is None
    assert str(problems[0]).startswith(problem)


def test_every_problem_of_a_template_is_named():
    template = {"kind": "Pod", "spec": {"hostPID": True, "containers": [{"image": "x"}]}}
    assert [problem.path for problem in check_template(template, "t")] == [
        "t.kind",
        "t.spec.hostPID",
        "t.spec.containers[0].image",
    ]
