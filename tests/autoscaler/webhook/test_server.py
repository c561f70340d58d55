import asyncio
import io
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestClient, TestServer

from autoscaler.health import Readiness, health_application
from autoscaler.webhook.admission import Admission
from autoscaler.webhook.counts import AdmissionCounts, Outcome, Webhook
from autoscaler.webhook.server import (
    BODIES_AT_ONCE,
    BODY_BYTES,
    PATHS,
    admission_application,
)
from tests.autoscaler.webhook.reviews import review


class Asked:
    """What is behind the server: notes what it is asked, and answers as a test says."""

    def __init__(self, admission=None, error=None):
        self.admission = admission or Admission()
        self.error = error
        self.reviews = []

    async def answer(self, webhook, asked):
        self.reviews.append((webhook, asked))
        if self.error is not None:
            raise self.error
        return self.admission


@asynccontextmanager
async def client_of(application):
    async with TestClient(TestServer(application)) as client:
        yield client


def post(path, body, *, asked=None, readiness=None, counts=None):
    """Return status, headers and text of an answer."""

    async def exchange():
        application = admission_application(
            (asked or Asked()).answer, readiness or Readiness(), counts or AdmissionCounts()
        )
        async with client_of(application) as client:
            answer = await client.post(path, data=io.BytesIO(body))
            return answer.status, answer.headers, await answer.text()

    return asyncio.run(exchange())


def get(application, path):
    async def exchange():
        async with client_of(application) as client:
            answer = await client.get(path)
            return answer.status, answer.headers, await answer.text()

    return asyncio.run(exchange())


def counted(counts):
    return {key: number for key, number in counts.snapshot().requests.items() if number}


@pytest.mark.parametrize(("path", "webhook"), PATHS.items())
def test_each_path_asks_its_webhook(path, webhook):
    asked = Asked()
    status, headers, text = post(path, review(uid="u-1"), asked=asked)

    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(text)["response"] == {"uid": "u-1", "allowed": True}
    [(found, seen)] = asked.reviews
    assert (found, seen.uid, seen.namespace) == (webhook, "u-1", "team")


@pytest.mark.parametrize(
    ("admission", "outcome"),
    [
        (Admission(), Outcome.ALLOWED),
        (Admission(warnings=("w",)), Outcome.ALLOWED),
        (Admission(patch=({"op": "remove", "path": "/a"},)), Outcome.PATCHED),
        (Admission(error="no"), Outcome.REFUSED),
    ],
)
def test_answers_are_counted_by_how_they_ended(admission, outcome):
    counts = AdmissionCounts()
    status, _, _ = post("/admit/pods", review(), asked=Asked(admission), counts=counts)

    assert status == 200
    assert counted(counts) == {(Webhook.PODS, outcome): 1}
    assert sum(counts.snapshot().durations[Webhook.PODS]) == 1


def test_a_refusal_is_logged_with_the_object_and_the_reason(caplog):
    caplog.set_level("INFO")
    post("/admit/pods", review(), asked=Asked(Admission(error="qos: 'x' is not valid")))

    assert "pods: refused Pod team/chat-7d5-*: qos: 'x' is not valid" in caplog.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"kind": "Pod"}'])
def test_what_is_no_review_is_answered_with_400_and_the_reason(body):
    counts, asked = AdmissionCounts(), Asked()
    status, _, text = post("/admit/pods", body, asked=asked, counts=counts)

    assert status == 400
    assert text.startswith("the body ")
    assert asked.reviews == []
    assert counted(counts) == {(Webhook.PODS, Outcome.BAD_REQUEST): 1}


def test_a_body_that_is_too_large_is_not_read():
    counts = AdmissionCounts()
    status, _, text = post("/admit/pods", b" " * (BODY_BYTES + 1), counts=counts)

    assert status == 413
    assert str(BODY_BYTES) in text
    assert counted(counts) == {(Webhook.PODS, Outcome.BAD_REQUEST): 1}


async def connected(server, *, length):
    """Begin a request on a connection of its own, whose body has so many bytes."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(
        f"POST /admit/pods HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    await writer.drain()
    return reader, writer


def test_bodies_that_do_not_come_are_given_up_and_keep_nobody_from_being_answered():
    counts = AdmissionCounts()

    async def exchange():
        application = admission_application(Asked().answer, Readiness(), counts, body_s=0.2)
        async with TestServer(application) as server, TestClient(server) as client:
            slow = [await connected(server, length=9) for _ in range(BODIES_AT_ONCE)]
            answer = await client.post("/admit/pods", data=review())
            heads = [await reader.readuntil(b"\r\n\r\n") for reader, _ in slow]
            for _, writer in slow:
                writer.close()
            return answer.status, [head.decode() for head in heads]

    status, heads = asyncio.run(exchange())

    assert status == 200
    for head in heads:
        assert head.startswith("HTTP/1.1 408 ")
        assert "Connection: close" in head
    assert counted(counts)[Webhook.PODS, Outcome.BAD_REQUEST] == BODIES_AT_ONCE


def test_of_too_many_bodies_on_their_way_the_oldest_gives_way_and_nobody_waits_for_it():
    async def exchange():
        application = admission_application(
            Asked().answer, Readiness(), AdmissionCounts(), body_s=3600.0
        )
        async with TestServer(application) as server, TestClient(server) as client:
            slow = [await connected(server, length=9) for _ in range(3 * BODIES_AT_ONCE)]
            answer = await client.post("/admit/pods", data=review())
            given_up = [await reader.readline() for reader, _ in slow[: 2 * BODIES_AT_ONCE]]
            for _, writer in slow:
                writer.close()
            return answer.status, given_up

    status, given_up = asyncio.run(asyncio.wait_for(exchange(), 60.0))

    assert status == 200
    assert {line.split()[1] for line in given_up} == {b"408"}


def test_a_log_line_does_not_grow_with_the_name_of_an_object(caplog):
    caplog.set_level("INFO")
    post("/admit/pods", review(name="x" * 100_000), asked=Asked(Admission(error="no")))
    post("/admit/pods", json.dumps({"kind": "k" * 100_000, "apiVersion": "v" * 100_000}).encode())

    assert max(len(record.getMessage()) for record in caplog.records) < 1000


def test_a_body_of_several_mebibytes_is_read():
    pod = {"metadata": {"annotations": {"large": "x" * 4 * 2**20}}, "spec": {"containers": []}}
    status, _, _ = post("/admit/pods", review(object=pod))

    assert status == 200


def test_a_defect_is_told_logged_and_counted_and_the_next_request_is_answered(caplog):
    counts = AdmissionCounts()
    asked = Asked(error=ZeroDivisionError("division by zero"))

    async def exchange():
        application = admission_application(asked.answer, Readiness(), counts)
        async with client_of(application) as client:
            broken = await client.post("/admit/pods", data=review())
            text = await broken.text()
            asked.error = None
            whole = await client.post("/admit/pods", data=review())
            return broken.status, text, whole.status

    assert asyncio.run(exchange()) == (500, "a defect of the webhook; its log says more\n", 200)
    assert "pods: a defect while answering Pod team/chat-7d5-*" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert counted(counts) == {
        (Webhook.PODS, Outcome.DEFECT): 1,
        (Webhook.PODS, Outcome.ALLOWED): 1,
    }


def test_a_process_that_is_about_to_end_answers_and_closes_the_connection():
    readiness = Readiness()
    _, kept, _ = post("/admit/pods", review(), readiness=readiness)
    readiness.is_draining = True
    status, closed, _ = post("/admit/pods", review(), readiness=readiness)

    assert status == 200
    assert (kept.get("Connection"), closed.get("Connection")) == (None, "close")


def test_other_paths_and_methods_are_refused():
    assert get(admissions(), "/admit/pods")[0] == 405
    assert post("/admit/nodes", review())[0] == 404


def admissions():
    return admission_application(Asked().answer, Readiness(), AdmissionCounts())


def test_nothing_can_be_admitted_without_tls():
    plain = health_application(Readiness(), lambda: b"", "text/plain")

    async def exchange():
        async with client_of(plain) as client:
            return (await client.post("/admit/pods", data=review())).status

    assert asyncio.run(exchange()) == 404


def test_health_is_served_beside_the_webhooks_too():
    assert get(admissions(), "/healthz")[0] == 200
    assert get(admissions(), "/readyz")[0] == 200
