"""Notes of what is wrong."""

from autoscaler.api.notes import NotedProblems


def test_reasons_and_warnings_are_kept_apart_in_their_order():
    notes = NotedProblems()
    notes.refuse("a", "b")
    notes.warn("w")
    notes.invalid("spec.x", "y" * 200, "true or false")
    assert notes.warnings == ["w"]
    assert notes.errors == [
        "a",
        "b",
        f"spec.x: '{'y' * 80}...' is not valid; allowed: true or false",
    ]
