"""The endpoint that an upstream operator asks."""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from autoscaler.scaling.cluster import amounts
from autoscaler.scaling.external.protocol import BODY_BYTES, Question, Reply
from autoscaler.scaling.external.serving import PATH, add_external_scaler
from autoscaler.scaling.external.token_file import TokenFile

TOKEN = "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
QUESTION = {"workloadName": "chat", "namespace": "team", "currentResources": {}}


class Decided:
    """What is behind the endpoint."""

    def __init__(self):
        self.questions = []

    def answer(self, question):
        self.questions.append(question)
        if question.workload == "defect":
            raise RuntimeError("s3cret")
        return Reply(needs_more=True, reason="Saturated", limit=amounts({"tflops": 60.0}))


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return TokenFile(path)


def asked(decided, token, method="POST", *, body=None, headers=BEARER, body_s=5.0):
    """Return status, headers and document of an answer."""
    data = json.dumps(QUESTION).encode() if body is None else body

    async def exchange():
        application = web.Application()
        answer = None if decided is None else decided.answer
        add_external_scaler(application, answer, token, body_s=body_s)
        async with (
            TestClient(TestServer(application)) as client,
            client.request(method, PATH, data=data, headers=headers) as answered,
        ):
            return answered.status, answered.headers, json.loads(await answered.read())

    return asyncio.run(exchange())


def test_a_question_with_the_token_is_answered_in_the_operators_shape(token):
    decided = Decided()
    status, headers, document = asked(decided, token)
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert decided.questions == [Question(namespace="team", workload="chat")]
    assert document == {
        "needScaleUp": True,
        "needScaleDown": False,
        "reason": "Saturated",
        "message": "",
        "recommendedResources": {"requests": {}, "limits": {"tflops": "60"}},
    }


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_without_the_token_nothing_is_answered(token, headers):
    decided = Decided()
    status, answered, document = asked(decided, token, headers=headers)
    assert (status, decided.questions) == (401, [])
    assert answered["WWW-Authenticate"].startswith("Bearer")
    assert "Authorization: Bearer TOKEN" in document["error"]


def test_without_a_token_file_the_endpoint_says_what_is_missing():
    status, _, document = asked(Decided(), None)
    assert status == 404
    assert "--external-scaler-token-file" in document["error"]


def test_in_another_profile_the_endpoint_says_where_it_is_served(token):
    status, _, document = asked(None, token)
    assert status == 404
    assert "--profile beside-upstream" in document["error"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_answered_with_the_allowed_one(token, method):
    status, headers, document = asked(Decided(), token, method)
    assert (status, headers["Allow"]) == (405, "POST")
    assert document["error"] == f"{method} is not allowed; allowed: POST"


def test_a_question_that_cannot_be_read_is_answered_with_what_is_allowed(token):
    status, _, document = asked(Decided(), token, body=b'{"namespace": "team"}')
    assert status == 400
    assert document["error"].startswith("workloadName is missing; allowed:")


async def _in_steps(count):
    for _ in range(count):
        yield b" " * 8192


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_above_the_limit_is_refused(token, is_announced):
    body = b" " * (BODY_BYTES + 1) if is_announced else _in_steps(20)
    status, _, document = asked(Decided(), token, body=body)
    assert (status, document["error"]) == (413, "the body is too large; allowed: 65536 bytes")


def test_a_body_that_does_not_come_is_not_waited_for(token):
    async def never_ending():
        yield b"{"
        await asyncio.Event().wait()

    status, _, document = asked(Decided(), token, body=never_ending(), body_s=0.05)
    assert (status, document["error"]) == (408, "the body did not come within 0.05 s")


def test_a_defect_is_logged_and_not_told(token, caplog):
    body = json.dumps({**QUESTION, "workloadName": "defect"}).encode()
    status, _, document = asked(Decided(), token, body=body)
    assert (status, document["error"]) == (500, "a defect of the autoscaler; its log says more")
    assert "a defect while answering team/defect" in caplog.text
