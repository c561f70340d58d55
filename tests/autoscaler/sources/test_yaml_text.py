import pytest

from autoscaler.errors import InputError, UsageError
from autoscaler.sources.yaml_text import parse_yaml


def test_one_document_is_returned_and_an_empty_text_is_none():
    assert parse_yaml("a: [1, 2]", "f.yaml") == {"a": [1, 2]}
    assert parse_yaml("", "f.yaml") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "f.yaml:1:5: is no YAML: "),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: is no YAML: but found another document"),
        ("a: 1\nb: {c: 1, d: 2, c: 3}\n", "f.yaml:2:17: is no YAML: found the key 'c' twice"),
        ("{[1]: 2}", "f.yaml:1:2: is no YAML: found unhashable key"),
        ("a: 2026-13-45", "f.yaml: is no YAML: month must be in 1..12"),
        ("[" * 3000, "f.yaml: is no YAML: maximum recursion depth exceeded"),
        ("\0", "f.yaml: is no YAML: unacceptable character"),
    ],
)
def test_a_fault_is_one_line_with_its_place(text, message):
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "f.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_caller_chooses_what_a_fault_means():
    with pytest.raises(UsageError):
        parse_yaml("a: [", "f.yaml", UsageError)
