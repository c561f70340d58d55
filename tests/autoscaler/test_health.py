"""The pages of health and of metrics that a process serves."""

import asyncio

from aiohttp.test_utils import TestClient, TestServer

from autoscaler.health import Readiness, health_application


def get(application, path):
    """Return status, headers and text of a page."""

    async def exchange():
        async with TestClient(TestServer(application)) as client:
            answer = await client.get(path)
            return answer.status, answer.headers, await answer.text()

    return asyncio.run(exchange())


def health(*parts, metrics=lambda: b"a_metric 1\n"):
    return health_application(Readiness(*parts), metrics, "text/plain; version=0.0.4")


def test_a_process_that_is_ready_says_so():
    assert get(health(lambda: ()), "/readyz")[::2] == (200, "ok\n")


def test_a_process_that_is_not_ready_says_all_that_is_missing():
    status, _, text = get(
        health(lambda: ("no certificate",), lambda: ("no list", "too old")), "/readyz"
    )

    assert (status, text) == (503, "no certificate\nno list\ntoo old\n")


def test_a_process_that_drains_is_not_ready():
    readiness = Readiness(lambda: ())
    readiness.is_draining = True

    assert readiness.problems() == ("the process is about to end",)


def test_a_process_that_is_not_ready_is_healthy():
    assert get(health(lambda: ("no certificate",)), "/healthz")[::2] == (200, "ok\n")


def test_metrics_are_served_as_their_text_format():
    status, headers, text = get(health(), "/metrics")

    assert (status, text) == (200, "a_metric 1\n")
    assert headers["Content-Type"] == "text/plain; version=0.0.4"


def test_a_process_that_is_stuck_says_so_to_whoever_may_restart_it():
    def application():
        return health_application(
            Readiness(), lambda: b"", "text/plain", stuck=lambda: ("a thread is stuck",)
        )

    assert get(application(), "/healthz")[::2] == (503, "a thread is stuck\n")
    assert get(application(), "/readyz")[::2] == (200, "ok\n")
