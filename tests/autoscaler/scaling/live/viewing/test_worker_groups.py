from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.live.kept import kept_of_gpu, kept_of_worker
from autoscaler.scaling.live.viewing.room import device_of
from autoscaler.scaling.live.viewing.worker_groups import (
    placed_workers,
    surplus_of,
    worker_groups,
    worker_views,
)
from autoscaler.scaling.live.viewing.worker_state import worker_state_of
from tests.autoscaler.scaling.live.live_objects import A100, GIB, L4, gpu, in_force, worker

DEVICES = {
    "gpu-1": device_of(kept_of_gpu(gpu("GPU-1", tflops="100"))),
    "gpu-2": device_of(kept_of_gpu(gpu("GPU-2", tflops="100", free=("5", "70Gi")))),
    "gpu-l4": device_of(kept_of_gpu(gpu("GPU-L4", tflops="121", vram="24Gi", gpu_model=L4))),
}


def states(*pods):
    return tuple(worker_state_of(kept_of_worker(pod)) for pod in pods)


def groups(*pods):
    return worker_groups(placed_workers(states(*pods), DEVICES.get))


def going(name, **fields):
    return worker(name, metadata={"deletionTimestamp": "2026-01-01T01:00:00Z"}, **fields)


def names(workers):
    return [each.state.name for each in workers]


def test_workers_are_grouped_by_the_model_of_their_gpus():
    found = groups(worker("a"), worker("b", gpus=("GPU-L4",)), worker("c", gpus=("GPU-2",)))
    assert [(each.gpu_model, names(each.running)) for each in found] == [
        (A100, ["a", "c"]),
        (L4, ["b"]),
    ]


def test_a_worker_on_an_unknown_gpu_goes_with_the_first_model():
    found = groups(worker("a", gpus=("GPU-gone",)), worker("b", gpus=("GPU-L4",)))
    assert [(each.gpu_model, names(each.running)) for each in found] == [(L4, ["a", "b"])]


def test_without_any_known_gpu_there_is_one_group_of_no_model():
    [found] = groups(worker("a", gpus=("GPU-gone",)))
    assert (found.gpu_model, dict(found.card)) == ("", {"tflops": 100.0, "vram_bytes": 80 * GIB})


def test_workers_that_wait_or_leave_make_no_group():
    assert groups(worker("a", gpus=()), going("b")) == ()


def test_a_worker_that_leaves_stays_with_those_of_its_model():
    [found] = groups(worker("a"), going("b"), going("c", gpus=("GPU-L4",)))
    assert (names(found.running), names(found.leaving)) == (["a"], ["b"])


def test_in_force_is_the_highest_amount_of_those_that_run():
    low = in_force(tflops_request="5", tflops_limit="30", vram_limit="9Gi")
    high = in_force(tflops_request="50", tflops_limit="60")
    [found] = groups(worker("a"), worker("b", amounts=low), going("c", amounts=high))
    assert dict(found.request) == {"tflops": 10.0, "vram_bytes": 9 * GIB}
    assert dict(found.limit) == {"tflops": 30.0, "vram_bytes": 9 * GIB}


def test_percent_are_those_of_the_gpu_that_the_worker_has():
    percent = in_force(compute_percent_limit="50")
    found = groups(worker("a", amounts=percent), worker("b", amounts=percent, gpus=("GPU-L4",)))
    assert [each.limit["tflops"] for each in found] == [50.0, 60.5]


def test_what_a_worker_requests_counts_as_room_for_it():
    [found] = groups(worker("a", gpus=("GPU-2",)))
    assert dict(found.room) == {"tflops": 15.0, "vram_bytes": 74 * GIB}


def test_a_worker_of_several_gpus_counts_them():
    [found] = groups(worker("a", gpus=("GPU-1", "GPU-2")), worker("b"))
    assert found.gpu_count == 2


def test_of_a_rollout_those_that_are_not_ready_are_surplus_then_the_newest():
    old = worker("old", ready_s=60, metadata={"creationTimestamp": "2026-01-01T00:00:00Z"})
    new = worker("new", ready_s=90, metadata={"creationTimestamp": "2026-01-01T00:05:00Z"})
    unready = worker("unready", metadata={"creationTimestamp": "2026-01-01T00:00:00Z"})
    gated = worker("gated", gpus=(), metadata={"creationTimestamp": "2026-01-01T00:00:00Z"})
    found = states(old, new, unready, gated)
    assert surplus_of(found, 4) == frozenset()
    assert surplus_of(found, 3) == {"gated"}
    assert surplus_of(found, 2) == {"gated", "unready"}
    assert surplus_of(found, 1) == {"gated", "unready", "new"}
    assert surplus_of(found, 0) == {"gated", "unready", "new", "old"}


def test_without_a_number_of_replicas_nobody_is_surplus():
    assert surplus_of(states(worker("a"), worker("b")), None) == frozenset()


def test_workers_that_leave_are_shown_as_surplus():
    [found] = groups(worker("b"), worker("c"), going("a"))
    shown = {each.name: each.is_surplus for each in worker_views(found, frozenset({"c"}))}
    assert shown == {"a": True, "b": False, "c": True}


@given(
    st.lists(
        st.tuples(st.sampled_from(["GPU-1", "GPU-L4", "GPU-gone", ""]), st.booleans()), max_size=8
    ),
    st.none() | st.integers(0, 9),
)
def test_every_running_worker_is_in_one_group_and_as_many_are_counted_as_replicas(drawn, replicas):
    pods = [
        (going if is_going else worker)(f"w{i}", gpus=(uuid,) if uuid else ())
        for i, (uuid, is_going) in enumerate(drawn)
    ]
    found, known = groups(*pods), states(*pods)
    shown = [name for group in found for name in names(group.running)]
    assert sorted(shown) == sorted(each.name for each in known if each.runs)
    live = [each for each in known if each.is_live]
    surplus = surplus_of(known, replicas)
    assert len(live) - len(surplus) == (len(live) if replicas is None else min(len(live), replicas))
