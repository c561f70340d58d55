"""Readers of a process that does not lead are passed on to the one that does."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from autoscaler.scaling.page.forwarding import forward
from tests.components.processes import LOOPBACK, free_port


def leading(asked):
    """Return the application of the process that leads, which adds to what it was asked."""
    application = web.Application()

    async def answer(request):
        asked.append(request)
        body = await request.read()
        return web.Response(
            status=201,
            body=body or request.path_qs.encode(),
            headers={"ETag": '"1"', "Content-Type": "text/plain; charset=utf-8"},
        )

    application.router.add_route("*", "/{path:.*}", answer)
    return application


def standing_by(leader, port):
    """Return the application of a standby, which answers 503 by itself."""

    async def answer(_request):
        return web.Response(status=503, text="another one leads")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    forward(application, leader, port)
    return application


@asynccontextmanager
async def pair():
    """Run both; yields a client of the standby, and what the leader was asked."""
    asked = []
    async with (
        TestServer(leading(asked), host=LOOPBACK) as server,
        TestClient(TestServer(standing_by(lambda: LOOPBACK, server.port))) as client,
    ):
        yield client, asked


def run(exchange):
    async def all_of_it():
        async with pair() as (client, asked):
            return await exchange(client, asked)

    return asyncio.run(all_of_it())


def alone(leader, port=1, **headers):
    """Return status and text of what a standby answers."""

    async def exchange():
        async with TestClient(TestServer(standing_by(leader, port))) as client:
            answer = await client.get("/page", headers=headers)
            return answer.status, await answer.text()

    return asyncio.run(exchange())


def test_a_request_goes_through_with_its_path_and_its_headers():
    async def exchange(client, asked):
        path = "/api/v1/report?namespace=a%2Fb&format=json"
        answer = await client.get(path, headers={"Authorization": "Bearer secret"})
        return answer.status, await answer.text(), answer.headers["ETag"], asked[0].headers

    status, text, tag, headers = run(exchange)

    assert (status, tag) == (201, '"1"')
    assert text == "/api/v1/report?namespace=a/b&format=json"
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Host"].startswith(LOOPBACK)


def test_a_body_goes_through():
    async def exchange(client, asked):
        answer = await client.post("/api/v1/external-scaler", data=b'{"a": 1}')
        return await answer.read(), asked[0].method

    assert run(exchange) == (b'{"a": 1}', "POST")


def test_a_head_has_no_body():
    async def exchange(client, asked):
        answer = await client.head("/page")
        return answer.status, await answer.read(), asked[0].method

    assert run(exchange) == (201, b"", "HEAD")


def test_a_process_that_leads_answers_itself():
    assert alone(lambda: "") == (503, "another one leads")


def test_a_request_is_passed_on_once():
    headers = {"X-Tensor-Fusion-Forwarded": "1"}

    assert alone(lambda: LOOPBACK, free_port(), **headers) == (503, "another one leads")


@pytest.mark.parametrize("target", ["OPTIONS *", "CONNECT elsewhere.example:80"])
def test_what_is_no_path_is_not_passed_on(target, caplog):
    async def exchange(client, asked):
        reader, writer = await asyncio.open_connection(LOOPBACK, client.port)
        writer.write(f"{target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.readline()
        writer.close()
        return answer, list(asked)

    answer, asked = run(exchange)

    assert answer == b"HTTP/1.1 404 Not Found\r\n"
    assert (asked, caplog.text) == ([], "")


def test_a_leader_that_does_not_answer_leaves_it_to_the_standby(caplog):
    assert alone(lambda: LOOPBACK, free_port()) == (503, "another one leads")
    assert "cannot be had" in caplog.text


@pytest.mark.parametrize("name", ["Connection", "Keep-Alive", "X-Of-This-Connection"])
def test_what_is_about_one_connection_stays_there(name):
    async def exchange(client, asked):
        headers = {"Connection": "X-Of-This-Connection", "Keep-Alive": "5"}
        await client.get("/page", headers={**headers, "X-Of-This-Connection": "1"})
        return asked[0].headers.get(name)

    assert run(exchange) is None
