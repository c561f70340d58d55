"""Recommendation and guard as the API carries them."""

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.cluster import Guard, amounts
from autoscaler.scaling.live.replicas.replica_guard import ReplicaGuard, replica_guard_from
from autoscaler.scaling.live.status.status_parts import (
    Target,
    guard_after,
    guard_from,
    guard_mapping,
    recommendation_of,
)
from tests.autoscaler.scaling.live.live_objects import A100, GIB, L4
from tests.autoscaler.scaling.live.status.test_desired_amounts import terms

GUARD = Guard(
    last_change_s=1_767_225_600,
    changes=2,
    watched_until_s=1_767_227_400,
    previous_request=amounts({"tflops": 40.0, "vram_bytes": 10 * GIB}),
    previous_limit=amounts({"tflops": 80.0}),
    no_decrease_until_s=1_767_312_000,
)
AS_WRITTEN = {
    "lastChange": "2026-01-01T00:00:00Z",
    "watchedUntil": "2026-01-01T00:30:00Z",
    "noDecreaseUntil": "2026-01-02T00:00:00Z",
    "previous": {"requests": {"tflops": "40", "vram": "10Gi"}, "limits": {"tflops": "80"}},
    "changesToday": 2,
}


def test_a_guard_is_written_with_times_and_quantities():
    assert guard_mapping(GUARD) == AS_WRITTEN
    assert guard_from({"guard": AS_WRITTEN}, A100) == GUARD


def test_each_gpu_model_has_a_guard_of_its_own():
    status = {"guard": guard_after(None, {A100: GUARD, L4: Guard(changes=1)}, {A100, L4}, None)}

    assert set(status["guard"]) == {"byGPUModel"}
    assert guard_from(status, A100) == GUARD
    assert guard_from(status, L4) == Guard(changes=1)


def test_a_second_gpu_model_does_not_forget_what_the_first_is_guarded_by():
    before = guard_after(None, {A100: GUARD}, {A100}, None)
    status = {"guard": guard_after(before, {L4: Guard(changes=1)}, {A100, L4}, None)}

    assert guard_from(status, A100) == GUARD


def test_what_nobody_left_or_what_cannot_be_read_is_no_guard():
    assert guard_from(None, A100) is None
    assert guard_from({"guard": {"replicas": {"stated": 2}}}, A100) is None
    assert guard_from({"guard": {"lastChange": "yesterday", "changesToday": 3}}, A100) == Guard(
        changes=3
    )


def test_the_guard_of_replicas_stands_beside_and_is_left_out_where_nothing_is_known():
    replicas = ReplicaGuard(stated=2, scaled=6, resets_s=(1_767_225_600,))
    guard = guard_after(AS_WRITTEN, {}, {A100}, replicas)

    assert guard == {
        **AS_WRITTEN,
        "replicas": {"stated": 2, "scaled": 6, "resets": ["2026-01-01T00:00:00Z"]},
    }
    assert replica_guard_from({"guard": guard}) == replicas
    assert guard_after(guard, {}, {A100}, None) == AS_WRITTEN


SECONDS = st.none() | st.integers(min_value=0, max_value=4_000_000_000)
AMOUNTS = st.fixed_dictionaries(
    {},
    optional={
        "tflops": st.integers(1, 10**6).map(lambda milli: milli / 1000),
        "vram_bytes": st.integers(1, 10**6).map(lambda mib: float(mib * 2**20)),
    },
).map(amounts)
GUARDS = st.builds(
    Guard,
    last_change_s=SECONDS,
    changes=st.integers(0, 9),
    watched_until_s=SECONDS,
    previous_request=AMOUNTS,
    previous_limit=AMOUNTS,
    no_decrease_until_s=SECONDS,
)


@given(st.dictionaries(st.sampled_from([A100, L4]), GUARDS, min_size=1))
def test_a_new_process_reads_what_an_earlier_one_wrote(guards):
    status = {"guard": guard_after(None, guards, guards.keys(), None)}

    read = {model: guard_from(status, model) or Guard() for model in guards}

    assert read == guards


def target(gpu_model=A100, *, request=None, limit=None):
    return Target(gpu_model=gpu_model, request=amounts(request), limit=amounts(limit))


def test_a_recommendation_has_the_highest_amounts_of_all_gpu_models():
    targets = [
        target(request={"tflops": 9.5, "vram_bytes": 4 * GIB}, limit={"tflops": 30.0}),
        target(L4, request={"tflops": 10.0, "vram_bytes": 3 * GIB}),
    ]

    assert recommendation_of(targets, terms(models=(A100, L4))) == {
        "requests": {"tflops": "10", "vram": "4Gi"},
        "limits": {"tflops": "30"},
    }


def test_a_recommendation_is_in_the_unit_of_the_workload_as_far_as_it_can_be_said():
    wanted = target(request={"tflops": 78.0, "vram_bytes": 4 * GIB})

    assert recommendation_of([wanted], terms(is_in_percent=True)) == {
        "requests": {"compute": "25", "vram": "4Gi"}
    }
    assert recommendation_of([wanted], terms(is_in_percent=True, peak_tflops={})) == {
        "requests": {"vram": "4Gi"}
    }


def test_nothing_known_is_nothing_recommended():
    assert recommendation_of([target()], terms()) == {}
