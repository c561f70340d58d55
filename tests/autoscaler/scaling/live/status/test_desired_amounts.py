"""What is stated after changes: units, models, the next start, and layers that left."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.desired import read_desired
from autoscaler.api.notes import NotedProblems
from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.live.status.desired_amounts import desired_after, is_same
from autoscaler.scaling.live.status.workload_terms import Terms, uses_percent
from recommender.policy.resolve import resolve
from tests.autoscaler.scaling.live.live_objects import A100, ENROLLED, GIB, L4
from tests.autoscaler.scaling.live.writing_world import change

PEAKS = {A100: 312.0, L4: 121.0}


def terms(config=ENROLLED, *, models=(A100,), **more):
    policy = resolve(workload={"autoScalingConfig": config}).policy
    fields = {"is_in_percent": False, "peak_tflops": PEAKS} | more
    return Terms(policy=policy, models=frozenset(models), **fields)


def test_what_changes_is_stated_and_what_stands_stays():
    present = {"requests": {"tflops": "10"}, "limits": {"vram": "8Gi"}}
    new = change(request={"vram_bytes": 5 * GIB}, limit={"tflops": 30.0})

    assert desired_after(present, [new], terms()) == {
        "requests": {"tflops": "10", "vram": "5Gi"},
        "limits": {"tflops": "30", "vram": "8Gi"},
    }


def test_amounts_are_rounded_up_to_what_the_api_resolves():
    new = change(request={"tflops": 10.00012, "vram_bytes": 5 * GIB + 1.0})

    assert desired_after(None, [new], terms()) == {
        "requests": {"tflops": "10001m", "vram": "5121Mi"}
    }


@pytest.mark.parametrize(
    ("tflops", "text"), [(104.0, "33334m"), (156.0, "50"), (312.0, "100"), (400.0, "100")]
)
def test_compute_is_stated_in_percent_of_the_card_where_users_do(tflops, text):
    new = change(limit={"tflops": tflops})

    assert desired_after(None, [new], terms(is_in_percent=True)) == {"limits": {"compute": text}}


def test_percent_that_are_decided_stay_percent_where_no_peak_is_known():
    new = change(limit={"tflops_pct": 12.34567}, gpu_model="")

    assert desired_after(None, [new], terms(models=(), peak_tflops={})) == {
        "limits": {"compute": "12346m"}
    }


def test_tflops_of_an_unknown_card_cannot_be_stated_in_percent():
    new = change(limit={"tflops": 12.0}, gpu_model="Unheard")

    with pytest.raises(ValueError, match=r"the TFLOPS of its GPU model are not known"):
        desired_after(None, [new], terms(is_in_percent=True))


def test_amounts_in_a_unit_that_its_user_left_are_taken_out():
    present = {"requests": {"tflops": "10", "vram": "4Gi"}}

    after = desired_after(present, [], terms(is_in_percent=True))

    assert after == {"requests": {"vram": "4Gi"}}


def test_the_next_start_is_stated_only_where_it_differs():
    lower = change(limit={"vram_bytes": 8 * GIB}, start_limit={"vram_bytes": 6 * GIB})
    present = desired_after(None, [lower], terms())
    assert present == {"limits": {"vram": "8Gi"}, "nextStart": {"limits": {"vram": "6Gi"}}}

    same = change(limit={"vram_bytes": 6 * GIB})
    assert desired_after(present, [same], terms()) == {"limits": {"vram": "6Gi"}}


def test_mode_initial_states_the_next_start_alone():
    config = {"mode": "initial", "autoSetLimits": {"enable": True}}
    new = change(start_limit={"tflops": 30.0})

    assert desired_after(None, [new], terms(config)) == {"nextStart": {"limits": {"tflops": "30"}}}


def test_mode_initial_leaves_for_the_next_start_what_was_stated_for_running_workers():
    config = {"mode": "initial", "autoSetLimits": {"enable": True}}
    present = {"limits": {"tflops": "30", "vram": "8Gi"}, "nextStart": {"limits": {"vram": "6Gi"}}}

    assert desired_after(present, [], terms(config)) == {
        "nextStart": {"limits": {"tflops": "30", "vram": "6Gi"}}
    }


@pytest.mark.parametrize(
    ("config", "left"),
    [
        ({"autoSetLimits": {"enable": True}}, {"limits": {"tflops": "30", "vram": "8Gi"}}),
        (
            {"autoSetRequests": {"enable": True, "targetResource": "vram"}},
            {"requests": {"vram": "4Gi"}, "nextStart": {"requests": {"vram": "3Gi"}}},
        ),
        ({"mode": "recommend", "autoSetLimits": {"enable": True}}, {}),
        ({}, {}),
    ],
)
def test_amounts_of_layers_that_left_are_taken_out(config, left):
    present = {
        "requests": {"tflops": "10", "vram": "4Gi"},
        "limits": {"tflops": "30", "vram": "8Gi"},
        "nextStart": {"requests": {"vram": "3Gi"}},
    }

    assert desired_after(present, [], terms(config)) == left


def test_on_several_gpu_models_each_has_its_own_and_nothing_stands_at_the_top():
    both = terms(models=(A100, L4))
    new = [change(request={"tflops": 20.0}), change(request={"tflops": 7.0}, gpu_model=L4)]

    assert desired_after(None, new, both) == {
        "byGPUModel": {A100: {"requests": {"tflops": "20"}}, L4: {"requests": {"tflops": "7"}}}
    }


def test_a_second_gpu_model_begins_with_what_stood_there_for_the_first():
    present = {"requests": {"tflops": "10"}}
    new = change(request={"tflops": 7.0}, gpu_model=L4)

    assert desired_after(present, [new], terms(models=(A100, L4))) == {
        "byGPUModel": {A100: {"requests": {"tflops": "10"}}, L4: {"requests": {"tflops": "7"}}}
    }


def test_the_last_gpu_model_moves_to_the_top_and_one_that_was_left_goes():
    present = {
        "byGPUModel": {A100: {"requests": {"tflops": "10"}}, L4: {"requests": {"tflops": "7"}}}
    }

    assert desired_after(present, [], terms(models=(L4,))) == {"requests": {"tflops": "7"}}


def test_without_a_worker_everything_stays_where_it_is():
    for present in (
        {"requests": {"tflops": "10"}, "nextStart": {"limits": {"tflops": "20"}}},
        {"byGPUModel": {A100: {"requests": {"tflops": "10"}}}},
    ):
        assert desired_after(present, [], terms(models=())) == present


def test_the_same_amounts_are_the_same_statement_however_they_are_spelt():
    one = {"epoch": 1, "sequence": 4, "requests": {"tflops": "1500m", "vram": "4Gi"}}
    other = {"epoch": 2, "sequence": 1, "requests": {"vram": "4096Mi", "tflops": 1.5}}

    assert is_same(one, other)
    assert not is_same(one, {"limits": one["requests"]})
    assert is_same(None, {})


@pytest.mark.parametrize(
    ("resources", "is_in_percent"),
    [
        ({"requests": {"compute": "20"}}, True),
        ({"limits": {"compute": "20"}}, True),
        ({"requests": {"tflops": "20"}}, False),
        (None, False),
    ],
)
def test_the_unit_is_that_in_which_the_users_state_compute(resources, is_in_percent):
    assert uses_percent({"resources": resources}) is is_in_percent


VALUES = st.dictionaries(
    st.sampled_from(["tflops", "vram_bytes"]), st.floats(min_value=1.0, max_value=300.0)
).map(lambda found: {k: v * (GIB / 8 if k == "vram_bytes" else 1.0) for k, v in found.items()})
CHANGES = st.builds(
    change,
    request=VALUES,
    limit=VALUES,
    start_request=VALUES,
    start_limit=VALUES,
    gpu_model=st.sampled_from([A100, L4]),
)
CONFIGS = st.sampled_from(
    [
        ENROLLED,
        {"autoSetLimits": {"enable": True}},
        {"mode": "initial", **ENROLLED},
        {"autoSetRequests": {"enable": True}, "mode": "recommend"},
    ]
)
MODELS = st.sets(st.sampled_from([A100, L4]))


@given(st.lists(CHANGES, max_size=4), st.lists(CHANGES, max_size=3), CONFIGS, MODELS, st.booleans())
def test_stating_the_same_changes_again_states_nothing_new(
    earlier, changes, config, models, is_in_percent
):
    now = terms(config, models=models, is_in_percent=is_in_percent)
    present = desired_after(None, earlier, replace(now, models=frozenset([A100, L4])))

    once = desired_after(present, changes, now)

    assert is_same(desired_after(once, changes, now), once)


@given(st.lists(CHANGES, max_size=4), MODELS, MODELS)
def test_no_worker_gets_less_when_the_models_of_a_workload_change(changes, before, after):
    present = desired_after(None, changes, terms(models=before))

    moved = desired_after(present, [], terms(models=after))

    kept = before & after if before else after
    for model in kept:
        old, new = (
            read_desired(
                {"metadata": {"name": "chat"}, "status": {"desiredResources": part}},
                model,
                NotedProblems(),
                at_start=True,
            ).amounts
            for part in (present, moved)
        )
        assert new == old


def test_a_part_of_amounts_is_not_lost_by_an_empty_change():
    present = {"requests": {"tflops": "10"}}
    assert desired_after(present, [change(request=amounts())], terms()) == present
