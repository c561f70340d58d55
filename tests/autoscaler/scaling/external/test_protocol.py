"""The protocol of external scalers: what is read, what is written, what is refused."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import InputError
from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.external.answers import ExternalAnswer
from autoscaler.scaling.external.protocol import (
    Question,
    Reply,
    encode_question,
    encode_reply,
    read_question,
    read_reply,
)
from recommender.quantities import parse_quantity
from recommender.resources import GIB, MIB

MILLI_TFLOPS = st.integers(1, 10**7).map(lambda number: number / 1000)
MEBIBYTES = st.integers(1, 10**6).map(lambda number: number * MIB)
BOTH = st.fixed_dictionaries({}, optional={"tflops": MILLI_TFLOPS, "vram_bytes": MEBIBYTES})


def reply(**fields):
    return json.dumps(fields).encode()


def resources(requests=None, limits=None):
    return {"requests": requests or {}, "limits": limits or {}}


def read(peak_tflops=None, **fields):
    return read_reply(reply(**fields), peak_tflops=peak_tflops)


@given(BOTH, BOTH)
def test_a_question_is_read_as_it_was_written(request, limit):
    question = Question(
        namespace="team", workload="chat", request=amounts(request), limit=amounts(limit)
    )
    assert read_question(encode_question(question)) == question


def test_a_question_has_the_shape_of_the_upstream_operator():
    question = Question(
        namespace="team",
        workload="chat",
        request=amounts({"tflops": 40.0, "vram_bytes": 10 * GIB}),
        limit=amounts({"tflops": 80.5}),
    )
    assert json.loads(encode_question(question)) == {
        "workloadName": "chat",
        "namespace": "team",
        "currentResources": {
            "requests": {"tflops": "40", "vram": "10Gi"},
            "limits": {"tflops": "80500m"},
        },
    }


def test_amounts_in_percent_are_asked_in_percent():
    question = Question(namespace="team", workload="chat", request=amounts({"tflops_pct": 12.5}))
    asked = json.loads(encode_question(question))
    assert asked["currentResources"]["requests"] == {"compute": "12500m"}


def test_the_zeros_that_a_structure_of_go_carries_are_no_amounts():
    body = {"workloadName": "chat", "namespace": "team", "currentResources": resources(
        {"tflops": "0", "vram": "0", "compute": "0"}, {"tflops": "20", "compute": "0"}
    )}  # fmt: skip
    question = read_question(reply(**body))
    assert dict(question.request) == {}
    assert dict(question.limit) == {"tflops": 20.0}


def test_a_question_without_current_resources_is_answered_from_what_is_known():
    assert read_question(reply(workloadName="chat", namespace="team")) == Question(
        namespace="team", workload="chat"
    )


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "no JSON"),
        (b"[]", "the body is a list"),
        (b'{"namespace": "team"}', "workloadName is missing"),
        (b'{"workloadName": 7, "namespace": "team"}', "workloadName is a number"),
        (b'{"workloadName": "../a", "namespace": "team"}', "workloadName is '../a'"),
        (b'{"workloadName": "chat", "namespace": ""}', "namespace is ''"),
        (
            b'{"workloadName": "chat", "namespace": "team", "currentResources": 3}',
            "currentResources is a number",
        ),
        (
            b'{"workloadName": "a", "namespace": "b", "currentResources": {"limits": []}}',
            "currentResources.limits is a list",
        ),
        (
            b'{"workloadName":"a","namespace":"b","currentResources":{"limits":{"vram":"10 GB"}}}',
            "currentResources.limits.vram is not valid; allowed: a Kubernetes quantity",
        ),
    ],
)
def test_a_question_that_cannot_be_read_is_named_with_what_is_allowed(body, named):
    with pytest.raises(InputError) as error:
        read_question(body)
    assert named in str(error.value)
    assert "allowed" in str(error.value)


def test_a_reply_gives_the_recommended_amounts_in_base_units():
    answer = read(
        needScaleUp=True,
        needScaleDown=False,
        reason="busy",
        recommendedResources=resources({"tflops": "50", "vram": "12Gi"}, {"tflops": 100}),
        recommendedReplicas=3,
    )
    assert answer == ExternalAnswer(
        request=amounts({"tflops": 50.0, "vram_bytes": 12 * GIB}),
        limit=amounts({"tflops": 100.0}),
        replicas=3,
    )


def test_where_no_scaling_is_needed_nothing_is_asked_for():
    wanted = resources({"tflops": "50"}, {"tflops": "100"})
    assert read(needScaleUp=False, recommendedResources=wanted) == ExternalAnswer()
    assert read() == ExternalAnswer()


def test_zero_keeps_what_is_in_force():
    wanted = resources({"tflops": "0", "vram": "12Gi"}, {"tflops": 0, "vram": "0"})
    answer = read(needScaleUp=True, recommendedResources=wanted, recommendedReplicas=0)
    assert answer == ExternalAnswer(request=amounts({"vram_bytes": 12 * GIB}))


def test_percent_become_tflops_of_a_known_card():
    wanted = resources({"compute": "25"}, {"compute": "50"})
    known = read(312.0, needScaleUp=True, recommendedResources=wanted)
    assert (dict(known.request), dict(known.limit)) == ({"tflops": 78.0}, {"tflops": 156.0})
    unknown = read(needScaleUp=True, recommendedResources=wanted)
    assert dict(unknown.request) == {"tflops_pct": 25.0}


SECRET = "s3cret-text"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"needScaleUp": "yes"}, "needScaleUp is a string; allowed: true or false"),
        ({"needScaleUp": True}, "nothing is recommended"),
        ({"needScaleUp": True, "recommendedResources": SECRET}, "recommendedResources is a string"),
        ({"needScaleUp": True, "recommendedReplicas": -1}, "recommendedReplicas is not valid"),
        ({"needScaleUp": True, "recommendedReplicas": True}, "recommendedReplicas is not valid"),
        ({"needScaleUp": True, "recommendedReplicas": 2.5}, "recommendedReplicas is not valid"),
        (
            {"needScaleUp": True, "recommendedResources": resources({"tflops": SECRET})},
            "recommendedResources.requests.tflops is not valid; allowed: a Kubernetes quantity",
        ),
        (
            {"needScaleUp": True, "recommendedResources": resources({"tflops": "-5"})},
            "recommendedResources.requests.tflops is not valid",
        ),
        (
            {"needScaleUp": True, "recommendedResources": resources({"compute": "101"})},
            "allowed: a quantity from 0 to 100",
        ),
        (
            {"needScaleUp": True, "recommendedResources": resources({"tflops": 1, "compute": 1})},
            "allowed: one of tflops and compute",
        ),
        (
            {"needScaleUp": True, "recommendedResources": resources({"vram": "9E"})},
            "allowed: below 2^53",
        ),
        (
            {
                "needScaleDown": True,
                "recommendedResources": resources({"tflops": 20}, {"tflops": 10}),
            },
            "recommendedResources.limits is below requests for tflops",
        ),
    ],
)
def test_a_reply_that_cannot_be_used_is_refused_as_a_whole_and_not_quoted(fields, named):
    with pytest.raises(InputError) as error:
        read(**fields)
    assert named in str(error.value)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("body", [b'{"needScaleUp": true, "recommendedReplicas": NaN}', b"\xff"])
def test_a_reply_that_is_no_json_is_refused(body):
    with pytest.raises(InputError, match="no JSON"):
        read_reply(body, peak_tflops=None)


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "needScaleUp", "needScaleDown", "recommendedResources", "requests", "limits", "tflops",
        "vram", "recommendedReplicas", "currentResources", "workloadName", "namespace",
    ]), inner, max_size=6),
).map(lambda document: json.dumps(document).encode()))  # fmt: skip
def test_whatever_comes_is_read_or_refused_with_what_is_allowed(body):
    for found in (outcome(read_question, body), outcome(read_reply, body, peak_tflops=100.0)):
        if isinstance(found, InputError):
            assert "allowed" in str(found)
        else:
            values = (*found.request.values(), *found.limit.values())
            assert all(0 < value < 2**60 for value in values)


def outcome(reader, body, **more):
    try:
        return reader(body, **more)
    except InputError as error:
        return error


def test_a_written_reply_has_the_shape_of_the_upstream_operator():
    body = encode_reply(
        Reply(
            needs_more=True,
            reason="Saturated",
            message="a worker is held back",
            request=amounts({"tflops": 12.0004}),
            limit=amounts({"tflops": 60.0, "vram_bytes": 3 * GIB + 1}),
        )
    )
    written = json.loads(body)
    assert written["needScaleUp"] is True
    assert written["needScaleDown"] is False
    assert written["reason"] == "Saturated"
    assert written["recommendedResources"] == {
        "requests": {"tflops": "12001m"},
        "limits": {"tflops": "60", "vram": "3073Mi"},
    }
    limits = read_reply(body, peak_tflops=None).limit
    assert Decimal(limits["vram_bytes"]) == parse_quantity("3073Mi")


@pytest.mark.parametrize("reason", ["", "two words", "ends:", "ä"])
def test_a_reason_that_no_condition_could_have_is_never_written(reason):
    with pytest.raises(ValueError, match="one word"):
        encode_reply(Reply(reason=reason))
