from hypothesis import given
from hypothesis import strategies as st

from autoscaler.kube.event import (
    EventType,
    Occurrence,
    Reference,
    event_name,
    event_object,
    reference_of,
    series_of,
    shortened,
)
from autoscaler.kube.resource import NODES, PODS, WORKLOADS

NOW_S = 1_767_225_600.5
WORKLOAD = Reference(
    api_version="tensor-fusion.ai/v1",
    kind="TensorFusionWorkload",
    namespace="team",
    name="llm",
    uid="u-1",
)


def occurrence_of(**others):
    fields = {
        "regarding": WORKLOAD,
        "related": None,
        "type": EventType.NORMAL,
        "reason": "ResourceScaledUp",
        "action": "PatchWorkers",
        "note": "tflops 2 -> 3",
    }
    return Occurrence(**fields | others)


def object_of(occurrence, *, count=1):
    return event_object(
        occurrence,
        name="llm.1",
        controller="tensor-fusion.ai/controller",
        instance="pod_1",
        first_s=NOW_S,
        last_s=NOW_S + 60,
        count=count,
    )


def test_an_event_says_what_happened_to_what_and_who_says_so():
    assert object_of(occurrence_of()) == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "llm.1", "namespace": "team"},
        "eventTime": "2026-01-01T00:00:00.500000Z",
        "reportingController": "tensor-fusion.ai/controller",
        "reportingInstance": "pod_1",
        "type": "Normal",
        "reason": "ResourceScaledUp",
        "action": "PatchWorkers",
        "note": "tflops 2 -> 3",
        "regarding": {
            "apiVersion": "tensor-fusion.ai/v1",
            "kind": "TensorFusionWorkload",
            "namespace": "team",
            "name": "llm",
            "uid": "u-1",
        },
    }


def test_an_event_may_name_a_second_object():
    pod = reference_of(PODS, {"metadata": {"namespace": "team", "name": "llm-0", "uid": "u-2"}})
    assert object_of(occurrence_of(related=pod))["related"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "team",
        "name": "llm-0",
        "uid": "u-2",
    }


def test_an_object_without_a_namespace_has_its_events_in_the_default_one():
    node = reference_of(NODES, {"metadata": {"name": "node-1", "uid": "u-3"}})
    event = object_of(occurrence_of(regarding=node))
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["regarding"]


def test_a_series_is_part_of_an_event_from_its_second_occurrence_on():
    assert "series" not in object_of(occurrence_of())
    series = {"count": 3, "lastObservedTime": "2026-01-01T00:01:00.500000Z"}
    assert object_of(occurrence_of(), count=3)["series"] == series
    assert series_of(count=3, last_s=NOW_S + 60) == {"series": series}


def test_words_are_cut_to_what_an_event_may_hold():
    event = object_of(occurrence_of(reason="R" * 200, action="A" * 200))
    assert (len(event["reason"]), len(event["action"])) == (128, 128)


def test_a_short_note_is_kept():
    assert shortened("x" * 1024) == "x" * 1024


@given(st.text(min_size=200, max_size=2000))
def test_a_long_note_is_cut_between_two_characters(text):
    cut = shortened(text)
    assert len(cut.encode()) <= 1024
    assert cut == text or text.startswith(cut.removesuffix("…"))


def test_names_of_events_of_one_moment_differ_and_fit():
    names = {event_name(occurrence_of(), now_s=NOW_S, number=number) for number in range(100)}
    assert len(names) == 100
    long = reference_of(WORKLOADS, {"metadata": {"namespace": "team", "name": "a." * 126 + "b"}})
    name = event_name(occurrence_of(regarding=long), now_s=NOW_S, number=1)
    assert len(name) <= 253
    assert ".." not in name
