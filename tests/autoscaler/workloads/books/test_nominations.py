"""Room that is kept for pods."""

from types import MappingProxyType

from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.nominations import Nomination, Nominations
from tests.autoscaler.workloads.entries import amounts

LOW, MEDIUM, HIGH = range(3)
FREE = {"gpu-1": amounts(100, 80), "gpu-2": amounts(30, 8)}


def nomination(uid, rank=MEDIUM, *gpus, awaited=()):
    return Nomination(
        uid=uid,
        rank=rank,
        node="n1",
        gpus=frozenset(gpus or ("gpu-1",)),
        request=amounts(40, 10),
        awaited=MappingProxyType({each: ("team", each) for each in awaited}),
        until_s=300.0,
    )


def free_for(nominations, uid, rank):
    free = nominations.free_for(uid, rank, FREE.__getitem__)
    return {gpu: free(gpu) for gpu in FREE}


def test_room_is_kept_from_others_that_are_not_more_important():
    nominations = Nominations()
    nominations.put("team", "a", nomination("a"))
    kept = {**FREE, "gpu-1": amounts(60, 70)}

    assert free_for(nominations, "b", LOW) == kept
    assert free_for(nominations, "b", MEDIUM) == kept
    assert free_for(nominations, "b", HIGH) == FREE
    assert free_for(nominations, "a", MEDIUM) == FREE


def test_what_is_kept_for_several_adds_up_and_may_be_more_than_there_is_yet():
    nominations = Nominations()
    nominations.put("team", "a", nomination("a", HIGH, "gpu-1", "gpu-2"))
    nominations.put("team", "b", nomination("b", MEDIUM, "gpu-2"))

    assert free_for(nominations, "c", LOW)["gpu-2"] == FREE["gpu-2"] - amounts(80, 20)
    assert free_for(nominations, "c", HIGH)["gpu-2"] == FREE["gpu-2"] - amounts(40, 10)


def test_a_pod_is_nominated_once():
    nominations = Nominations()
    nominations.put("team", "a", nomination("a", awaited=("x",)))
    second = nomination("a", HIGH, "gpu-2", awaited=("y",))
    nominations.put("team", "a", second)

    assert nominations.awaited() == {"y"}
    assert nominations.get("team", "a") is second
    assert nominations.remove("team", "a") is second
    assert nominations.remove("team", "a") is None
    assert free_for(nominations, "b", LOW) == FREE


def test_pods_against_which_nothing_is_kept_are_themselves_and_less_important_ones():
    nominations = Nominations()
    for uid, rank in (("a", LOW), ("b", MEDIUM), ("c", HIGH)):
        nominations.put("team", uid, nomination(uid, rank))

    assert nominations.unkept("b", MEDIUM) == {"a", "b"}
    assert nominations.unkept("other", LOW) == frozenset()


def test_without_nominations_nothing_is_in_between():
    free = {"gpu-1": GpuAmounts()}.__getitem__
    assert Nominations().free_for("a", LOW, free) is free
