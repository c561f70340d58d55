"""A client learns its own address, and whoever asks wrongly what is right."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from autoscaler.kube.resource import PODS
from autoscaler.workloads.connections.connection_api import add_routes
from tests.autoscaler.workloads.objects import TEAM
from tests.autoscaler.workloads.serving import ServingWorld


@pytest.fixture
def world():
    world = ServingWorld(replicas=1)
    world.client("a")
    world.look()
    world.run()
    world.connect()
    world.box.show()
    return world


def asked(world, query, **headers):
    """Return status, body and headers of the answer to a query."""

    async def ask():
        application = web.Application()
        add_routes(application, world.box.tools.cluster)
        async with TestClient(TestServer(application)) as client:
            answer = await client.get(f"/api/connection?{query}", headers=headers)
            return answer.status, await answer.text(), answer.headers

    return asyncio.run(ask())


def test_a_served_client_gets_its_address_as_text_or_as_json(world):
    [worker] = world.workers()
    url = f"native+10.0.0.1+8000+{worker['metadata']['name']}-{worker['metadata']['uid'][:8]}"
    status, text, _ = asked(world, f"name=a&namespace={TEAM}")
    assert (status, text) == (200, url)
    status, text, _ = asked(world, f"name=a&namespace={TEAM}", Accept="application/json")
    assert status == 200
    assert text == f'{{"connectionURL": "{url}", "workerName": "{worker["metadata"]["name"]}"}}'


def test_a_client_without_a_worker_is_asked_to_come_again(world):
    world.fail(*world.names())
    world.connect()
    world.box.show()
    status, text, headers = asked(world, f"name=a&namespace={TEAM}")
    assert (status, headers["Retry-After"]) == (503, "1")
    assert "no worker of workload llm" in text


def test_a_pod_that_has_the_name_of_an_earlier_one_is_not_told_its_address(world):
    world.api.remove(PODS, TEAM, "a")
    world.client("a")
    world.box.show()
    assert asked(world, f"name=a&namespace={TEAM}")[0] == 503


def test_a_connection_of_another_namespace_is_not_found(world):
    status, text, _ = asked(world, "name=a&namespace=other")
    assert (status, text) == (
        404,
        "namespace other has no connection a; it has the name of its client pod\n",
    )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("name=a", "query parameter namespace: given 0 times; allowed: once"),
        (f"name=a&name=b&namespace={TEAM}", "query parameter name: given 2 times"),
        (f"name=../x&namespace={TEAM}", "query parameter name: '../x' is not valid"),
        (f"name=&namespace={TEAM}", "query parameter name: '' is not valid"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_allowed(world, query, message):
    status, text, _ = asked(world, query)
    assert status == 400
    assert message in text
