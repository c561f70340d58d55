import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import (
    AlreadyExistsError,
    ApiUnavailableError,
    ConflictError,
    DisruptionError,
    ExpiredError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.kube.status_errors import QUOTED_LETTERS, error_of_answer, error_of_status

WHAT = "GET /api/v1/pods"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def error(code, reason="", message="no", **details):
    status = {"kind": "Status", "code": code, "reason": reason, "message": message}
    body = json.dumps(status | {"details": details}).encode()
    return error_of_answer(WHAT, code, body, None)


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", InvalidError),
        (401, "Unauthorized", ForbiddenError),
        (403, "Forbidden", ForbiddenError),
        (404, "NotFound", NotFoundError),
        (405, "MethodNotAllowed", InvalidError),
        (408, "Timeout", ApiUnavailableError),
        (409, "AlreadyExists", AlreadyExistsError),
        (409, "Conflict", ConflictError),
        (410, "Expired", ExpiredError),
        (413, "RequestEntityTooLarge", InvalidError),
        (422, "Invalid", InvalidError),
        (429, "TooManyRequests", ThrottledError),
        (302, "", ApiUnavailableError),
        (500, "InternalError", ApiUnavailableError),
        (503, "ServiceUnavailable", ApiUnavailableError),
        (504, "Timeout", ApiUnavailableError),
    ],
)
def test_the_code_decides_what_the_caller_should_do(code, reason, kind):
    found = error(code, reason)

    assert type(found) is kind
    assert (found.http_status, found.reason) == (code, reason)


def test_the_text_names_the_request_and_quotes_the_server():
    found = error(403, "Forbidden", 'pods is forbidden: User "alice" cannot list resource "pods"')

    assert str(found) == (
        "GET /api/v1/pods: 403 Forbidden: pods is forbidden: "
        'User "alice" cannot list resource "pods"'
    )


def test_what_no_api_server_wrote_is_quoted_in_one_line():
    page = b"<html>\n<h1>502</h1>\x1b[2J\n" + b"x" * 5000

    found = error_of_answer(WHAT, 502, page, None)

    assert str(found).startswith(
        "GET /api/v1/pods: 502 Bad Gateway: <html> <h1>502</h1>\ufffd[2J x"
    )
    assert len(str(found)) < QUOTED_LETTERS + 100


def test_the_time_to_wait_is_that_of_the_header():
    found = error_of_answer(WHAT, 429, b'{"details": {"retryAfterSeconds": 9}}', "3")

    assert found.retry_after_s == 3.0


def test_the_time_to_wait_may_stand_in_the_details():
    assert error(503, retryAfterSeconds=7).retry_after_s == 7.0


@pytest.mark.parametrize("header", [None, "", "-1", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "²"])
def test_what_is_no_number_of_seconds_asks_for_no_time(header):
    assert error_of_answer(WHAT, 429, b"{}", header).retry_after_s is None


def test_an_event_of_a_watch_says_its_code_itself():
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}

    found = error_of_status("watch of pods", status)

    assert type(found) is ExpiredError
    assert str(found) == "watch of pods: 410 Gone: too old"


@given(JSON, st.integers(300, 599))
def test_whatever_the_body_is_there_is_an_error_with_a_printable_text(body, code):
    found = error_of_answer(WHAT, code, orjson.dumps(body), None)

    assert isinstance(found, KubeError)
    assert str(found).isprintable()
    assert found.http_status == code


@given(st.dictionaries(st.sampled_from(["code", "reason", "message", "details"]), JSON))
def test_whatever_an_event_says_there_is_an_error(status):
    assert isinstance(error_of_status("watch of pods", status), KubeError)


def test_an_eviction_that_a_budget_forbids_is_no_sign_of_load():
    status = {
        "message": "Cannot evict pod as it would violate the pod's disruption budget.",
        "reason": "TooManyRequests",
        "details": {"causes": [{"reason": "DisruptionBudget", "message": "The budget needs 2"}]},
    }
    found = error_of_status(WHAT, status, http_status=429)
    assert type(found) is DisruptionError
    other = {**status, "details": {"causes": [{"reason": "Other"}, "no object"]}}
    assert type(error_of_status(WHAT, other, http_status=429)) is ThrottledError
