"""What was decided for the workers of a workload."""

import pytest

from autoscaler.api.desired import read_desired
from autoscaler.api.notes import NotedProblems

DESIRED = {
    "epoch": 3,
    "sequence": 7,
    "requests": {"tflops": "12", "vram": "5Gi"},
    "limits": {"compute": "75"},
    "nextStart": {"requests": {"vram": "2Gi"}},
    "byGPUModel": {
        "A100": {"requests": {"tflops": "20"}, "nextStart": {"requests": {"vram": "1Gi"}}}
    },
}


def read(desired, gpu_model="", *, at_start=False):
    """Return what was read, and the warnings."""
    notes = NotedProblems()
    status = {} if desired is None else {"status": {"desiredResources": desired}}
    workload = {"metadata": {"name": "llm"}, **status}
    found = read_desired(workload, gpu_model, notes, at_start=at_start)
    assert notes.errors == []
    return found, notes.warnings


def amounts(desired, gpu_model="", *, at_start=False):
    found, _ = read(desired, gpu_model, at_start=at_start)
    return {key: amount.quantity for key, amount in found.amounts.items()}


def test_amounts_are_by_statement_and_in_base_units():
    found, _ = read(DESIRED)
    assert {key: (a.value, a.quantity, a.is_decided) for key, a in found.amounts.items()} == {
        "tflops-request": (12.0, "12", True),
        "vram-request": (5 * 2**30, "5Gi", True),
        "compute-percent-limit": (75.0, "75", True),
    }


def test_the_order_of_decisions_is_kept():
    found, _ = read(DESIRED)
    assert (found.epoch, found.sequence) == (3, 7)
    found, _ = read({})
    assert (found.epoch, found.sequence) == (None, None)


def test_what_is_for_the_next_start_is_for_new_pods_only():
    assert amounts(DESIRED, at_start=False)["vram-request"] == "5Gi"
    assert amounts(DESIRED, at_start=True)["vram-request"] == "2Gi"


@pytest.mark.parametrize(("at_start", "vram"), [(False, "5Gi"), (True, "1Gi")])
def test_the_decision_for_the_model_wins_value_by_value(at_start, vram):
    found = amounts(DESIRED, "NVIDIA A100-SXM4-80GB", at_start=at_start)
    assert (found["tflops-request"], found["vram-request"]) == ("20", vram)
    assert amounts(DESIRED, "L4", at_start=at_start)["tflops-request"] == "12"


def test_without_a_decision_there_is_none():
    assert read(None) == (None, [])


@pytest.mark.parametrize(
    ("desired", "problem"),
    [
        ([], ": 'a list' is not valid; allowed: a mapping"),
        ({"epoch": "3"}, ".epoch: '3' is not valid; allowed: a whole number"),
        ({"sequence": True}, ".sequence: True is not valid; allowed: a whole number"),
        ({"limits": {"tflops": "x"}}, ".limits.tflops: 'x' is not valid"),
        ({"byGPUModel": {"A100": 1}}, ".byGPUModel.A100: 1 is not valid; allowed: a mapping"),
    ],
)
@pytest.mark.parametrize(
    ("at_start", "instead"),
    [(True, "the declared amounts count"), (False, "the amounts in force stay")],
)
def test_a_decision_that_cannot_be_read_is_left_out_as_a_whole(desired, problem, at_start, instead):
    found, (warning,) = read(desired, "A100", at_start=at_start)
    assert found is None
    assert warning.startswith(f"workload llm status.desiredResources{problem}")
    assert warning.endswith(f"; all of it is left out, and {instead}")


def test_what_is_wrong_in_a_part_for_new_pods_does_not_concern_running_ones():
    damaged = {**DESIRED, "nextStart": {"requests": 1}}
    assert amounts(damaged, at_start=False)["vram-request"] == "5Gi"
    assert read(damaged, at_start=True)[0] is None
