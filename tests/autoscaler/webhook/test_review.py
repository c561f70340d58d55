import base64
import json
from types import MappingProxyType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import InputError
from autoscaler.webhook.admission import Admission
from autoscaler.webhook.review import WARNING_LETTERS, decode, encode
from tests.autoscaler.webhook.reviews import review


def response(admission, uid="u"):
    answer = json.loads(encode(uid, admission))
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    return answer["response"]


def test_a_review_says_what_is_asked_about_whom():
    found = decode(review())

    assert (found.uid, found.group, found.kind, found.operation) == (
        "705ab4f5-6393-11e8-b7cc-42010a800002",
        "",
        "Pod",
        "CREATE",
    )
    assert (found.namespace, found.name) == ("team", "")
    assert found.new["metadata"]["generateName"] == "chat-7d5-"
    assert found.old is None


def test_a_deleted_object_is_the_old_one():
    found = decode(review(operation="DELETE", object=None, oldObject={"metadata": {"name": "a"}}))

    assert (found.new, found.old) == (None, {"metadata": {"name": "a"}})


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({}, "Pod team/chat-7d5-*"),
        ({"name": "chat-0"}, "Pod team/chat-0"),
        ({"namespace": "", "name": "node"}, "Pod node"),
        ({"object": {"metadata": {"name": "own"}}}, "Pod team/own"),
        ({"object": None}, "Pod team/*"),
    ],
)
def test_a_message_names_the_object(changes, subject):
    assert decode(review(**changes)).subject == subject


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is no JSON"),
        (b"{", "the body is no JSON"),
        (b"\xff", "the body is no JSON"),
        (b"[]", "must be an AdmissionReview of admission.k8s.io/v1, not kind None"),
        (b'{"kind": "Pod", "apiVersion": "v1"}', "not kind 'Pod' of apiVersion 'v1'"),
        (
            review().replace(b"admission.k8s.io/v1", b"admission.k8s.io/v1beta1"),
            "not kind 'AdmissionReview' of apiVersion 'admission.k8s.io/v1beta1'",
        ),
        (
            b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}',
            "request must be an object, not NoneType",
        ),
        (review(uid=""), r"request\.uid must be a text that is not empty, not ''"),
        (review(uid=7), r"request\.uid must be a text that is not empty, not 7"),
        (review(kind=None), r"request\.kind must be an object, not NoneType"),
        (review(object=[1]), r"request\.object must be an object, not list"),
    ],
)
def test_what_is_no_review_is_refused_with_what_is_wrong(body, message):
    with pytest.raises(InputError, match=message):
        decode(body)


@given(st.binary())
def test_no_body_raises_anything_but_an_input_error(body):
    with pytest.raises(InputError):
        decode(body)


def test_an_unchanged_object_is_allowed_and_nothing_else_is_said():
    assert response(Admission(), "u-1") == {"uid": "u-1", "allowed": True}


def test_a_patch_is_encoded_as_the_api_server_reads_it():
    operation = MappingProxyType({"op": "add", "path": "/metadata/labels", "value": {"a": "b"}})

    found = response(Admission(patch=(operation,)))

    assert (found["allowed"], found["patchType"]) == (True, "JSONPatch")
    assert json.loads(base64.b64decode(found["patch"])) == [dict(operation)]


def test_a_refusal_says_why_and_carries_no_patch():
    operation = {"op": "remove", "path": "/spec"}

    found = response(Admission(error="tflops-limit: '-1' is not valid", patch=(operation,)))

    assert found == {
        "uid": "u",
        "allowed": False,
        "status": {
            "status": "Failure",
            "message": "tflops-limit: '-1' is not valid",
            "reason": "Invalid",
            "code": 422,
        },
    }


def test_warnings_come_with_either_answer():
    assert response(Admission(warnings=("w",)))["warnings"] == ["w"]
    assert response(Admission(warnings=("w",), error="e"))["warnings"] == ["w"]


@given(st.lists(st.text(), min_size=1))
def test_a_warning_fits_into_a_header(texts):
    found = response(Admission(warnings=tuple(texts)))["warnings"]

    assert len(found) == len(texts)
    assert all(text.isprintable() and len(text) <= WARNING_LETTERS for text in found)


def test_a_long_warning_shows_that_it_was_cut():
    assert response(Admission(warnings=("x" * 257,)))["warnings"] == ["x" * 255 + "…"]
    assert response(Admission(warnings=("x" * 256,)))["warnings"] == ["x" * 256]


@given(st.text(min_size=1).filter(lambda text: text.encode(errors="ignore").decode() == text))
def test_the_answer_repeats_the_uid(uid):
    body = orjson.dumps({"uid": uid})
    assert response(Admission(), orjson.loads(body)["uid"])["uid"] == uid
