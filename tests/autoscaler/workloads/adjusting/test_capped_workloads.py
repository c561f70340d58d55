from hypothesis import given
from hypothesis import strategies as st

from autoscaler.workloads.adjusting.capped_workloads import CappedWorkloads

A, B = ("team", "a"), ("other", "b")


def test_workloads_are_found_by_their_gpus_and_by_namespace_where_a_quota_caps_them():
    capped = CappedWorkloads()
    capped.note(A, gpus={"gpu-1", "gpu-2"}, waits_for_quota=False)
    capped.note(B, gpus={"gpu-2"}, waits_for_quota=True)
    assert capped.on(["gpu-1"], []) == {A}
    assert capped.on(["gpu-2"], []) == {A, B}
    assert capped.on([], ["team", "other"]) == {B}
    assert capped.on(["gpu-9"], ["nowhere"]) == set()


def test_what_was_noted_last_counts_alone():
    capped = CappedWorkloads()
    capped.note(A, gpus={"gpu-1"}, waits_for_quota=True)
    capped.note(A, gpus={"gpu-2"}, waits_for_quota=False)
    assert capped.on(["gpu-1"], ["team"]) == set()
    assert capped.on(["gpu-2"], []) == {A}


KEYS = st.sampled_from([A, B, ("team", "c")])
GPUS = st.frozensets(st.sampled_from(["gpu-1", "gpu-2", "gpu-3"]))


@given(st.lists(st.tuples(KEYS, GPUS, st.booleans())))
def test_the_index_is_as_if_only_the_last_notes_had_been_taken(notes):
    capped = CappedWorkloads()
    for key, gpus, waits_for_quota in notes:
        capped.note(key, gpus=gpus, waits_for_quota=waits_for_quota)
    last = {key: (gpus, waits_for_quota) for key, gpus, waits_for_quota in notes}
    for gpu in ("gpu-1", "gpu-2", "gpu-3"):
        assert capped.on([gpu], []) == {key for key, (gpus, _) in last.items() if gpu in gpus}
    for namespace in ("team", "other"):
        expected = {key for key, (_, waits) in last.items() if waits and key[0] == namespace}
        assert capped.on([], [namespace]) == expected
