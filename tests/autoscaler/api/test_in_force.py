"""The amounts that a running worker is to have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.ceilings import Ceiling
from autoscaler.api.in_force import amounts_while_running
from autoscaler.api.names import AMOUNT_KEYS
from autoscaler.api.notes import NotedProblems
from recommender.policy.parse import parse_auto_scaling_config
from recommender.quantities import parse_quantity

CURRENT = {
    "tflops-request": "10",
    "tflops-limit": "20",
    "vram-request": "4096Mi",
    "vram-limit": "4Gi",
}
DESIRED = {
    "requests": {"tflops": "12", "vram": "5Gi"},
    "limits": {"tflops": "3e1", "vram": "6Gi"},
    "nextStart": {"requests": {"tflops": "1"}},
    "byGPUModel": {"L4": {"limits": {"tflops": "40"}}},
}
REQUESTS, LIMITS = {"autoSetRequests": {"enable": True}}, {"autoSetLimits": {"enable": True}}


def running(desired, config, current=CURRENT, ceilings=None, gpu_model="A100"):
    """Return amounts and notes; ceilings by key are values in base units."""
    notes = NotedProblems()
    found = amounts_while_running(
        current,
        parse_auto_scaling_config(config),
        {"metadata": {"name": "llm"}, "status": {"desiredResources": desired}},
        {key: Ceiling(value, f"{value:g}", "quota") for key, value in (ceilings or {}).items()},
        notes,
        gpu_model,
    )
    return found, notes


def amounts(*arguments, **keywords):
    found, notes = running(*arguments, **keywords)
    assert (notes.errors, notes.warnings) == ([], [])
    return tuple(found.values())


def test_what_was_decided_comes_in_canonical_form_without_what_is_for_the_next_start():
    assert amounts(DESIRED, {**REQUESTS, **LIMITS}) == ("12", "30", "5Gi", "6Gi")


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ("1Gi", "2Gi"),
        ("2Gi", "2Gi"),
        ("3072Mi", "3072Mi"),
        ("5Gi", "5Gi"),
        ("6Gi", "5Gi"),
        (None, "5Gi"),
    ],
    ids=["less", "as it started", "between", "as it ran", "more", "none"],
)
def test_a_worker_keeps_the_vram_that_it_started_with_where_new_ones_start_with_less(has, expected):
    decided = {"requests": {"vram": "5Gi"}, "nextStart": {"requests": {"vram": "2Gi"}}}
    current = {} if has is None else {"vram-request": has}
    found, _ = running(decided, REQUESTS, current=current)
    assert found == {"vram-request": expected}


def test_what_new_ones_start_with_lowers_no_running_worker_and_raises_none_above_its_decision():
    later = {"requests": {"vram": "9Gi", "tflops": "1"}, "limits": {"vram": "9Gi"}}
    assert amounts({**DESIRED, "nextStart": later}, {**REQUESTS, **LIMITS}) == (
        "12",
        "30",
        "5Gi",
        "6Gi",
    )


def test_what_nobody_decides_keeps_its_spelling():
    assert amounts({"limits": {"tflops": "25"}}, LIMITS) == ("10", "25", "4096Mi", "4Gi")


def test_without_a_decision_everything_stays():
    assert amounts(None, {**REQUESTS, **LIMITS}) == tuple(CURRENT.values())


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ("10", "20", "4096Mi", "4Gi")),
        (REQUESTS, ("12", "20", "4Gi", "4Gi")),
        (LIMITS, ("10", "30", "4096Mi", "6Gi")),
        (
            {"autoSetResources": {"enable": True, "targetResource": "compute"}},
            ("12", "30", "4096Mi", "4Gi"),
        ),
        ({"mode": "initial", **REQUESTS, **LIMITS}, ("10", "20", "4096Mi", "4Gi")),
        ({"mode": "recommend", **REQUESTS, **LIMITS}, ("10", "20", "4096Mi", "4Gi")),
    ],
)
def test_only_layers_that_are_enrolled_and_may_apply_change_a_running_worker(config, expected):
    assert amounts(DESIRED, config) == expected


def test_the_decision_for_the_gpu_of_the_worker_wins():
    assert amounts(DESIRED, LIMITS, gpu_model="L4")[1] == "40"


def test_a_decided_request_ends_at_the_limit_and_one_that_is_not_decided_is_never_lowered():
    assert amounts({"requests": {"tflops": "25"}}, REQUESTS)[:2] == ("20", "20")
    assert amounts({"limits": {"tflops": "5"}}, LIMITS)[:2] == ("10", "10")


def test_a_decision_above_a_quota_ends_at_the_quota():
    ceilings = {"tflops-limit": 25.0, "tflops-request": 11.0}
    assert amounts(DESIRED, {**REQUESTS, **LIMITS}, ceilings=ceilings)[:2] == ("11", "25")


def test_what_is_not_decided_stays_above_a_quota_that_was_lowered():
    assert amounts({"limits": {"vram": "6Gi"}}, LIMITS, ceilings={"tflops-limit": 5.0}) == (
        "10",
        "20",
        "4096Mi",
        "6Gi",
    )


def test_an_amount_that_the_worker_does_not_have_may_be_decided():
    found, _ = running({"limits": {"tflops": "30"}}, LIMITS, current={"tflops-request": "10"})
    assert found == {"tflops-request": "10", "tflops-limit": "30"}


def test_a_decision_in_the_other_unit_is_left_out_with_a_warning():
    found, notes = running({"limits": {"compute": "50"}}, LIMITS)
    (warning,) = notes.warnings
    assert found == CURRENT
    assert warning == (
        "workload llm status.desiredResources: states compute-percent-limit, and the pod states "
        "compute in tflops; it is left out"
    )


def test_a_decision_in_percent_is_for_a_worker_in_percent():
    found, _ = running(
        {"limits": {"compute": "70"}}, LIMITS, current={"compute-percent-limit": "50"}
    )
    assert found == {"compute-percent-limit": "70"}


def test_current_amounts_that_cannot_be_read_are_named_and_stay():
    damaged = {"tflops-limit": "ten", "vram-limit": "4GB"}
    found, notes = running(DESIRED, LIMITS, current=damaged)
    assert found == damaged
    assert [error.partition("; ")[0] for error in notes.errors] == [
        "annotation tensor-fusion.ai/tflops-limit: 'ten' is not valid",
        "annotation tensor-fusion.ai/vram-limit: '4GB' is not valid",
    ]


_QUANTITIES = st.sampled_from(("0.5", "1", "7500m", "10", "2e1", "4Gi", "6Gi"))
_SIDES = st.fixed_dictionaries({}, optional={"tflops": _QUANTITIES, "vram": _QUANTITIES})
_DESIRED = st.fixed_dictionaries({}, optional={"requests": _SIDES, "limits": _SIDES})
_CURRENT = st.fixed_dictionaries(
    {}, optional={key: _QUANTITIES for key in AMOUNT_KEYS if "percent" not in key}
)
_CONFIGS = st.sampled_from(({}, REQUESTS, LIMITS, {**REQUESTS, **LIMITS}))


@given(_CURRENT, _DESIRED, _CONFIGS)
def test_amounts_that_came_into_force_are_the_same_when_they_are_read_again(
    current, desired, config
):
    once, _ = running(desired, config, current=current)
    again, _ = running(desired, config, current=once)
    assert again == once


@given(_CURRENT, _DESIRED, _CONFIGS, st.dictionaries(st.sampled_from(AMOUNT_KEYS), st.just(8.0)))
def test_nothing_is_lost_and_no_request_is_above_its_limit_where_a_decision_changes_one(
    current, desired, config, ceilings
):
    found, _ = running(desired, config, current=current, ceilings=ceilings)
    assert found.keys() >= current.keys()
    for name in ("tflops", "vram"):
        sides = [f"{name}-{end}" for end in ("request", "limit")]
        if all(side in found for side in sides) and any(
            found[side] != current.get(side) for side in sides
        ):
            low, high = (parse_quantity(found[side]) for side in sides)
            assert low <= high
