"""The pages of health and of metrics that a process serves."""

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from autoscaler.health import MetricsPage, Readiness, health_application


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


class Slow:
    """Metrics that take two seconds of a clock of their own."""

    now_s = 100.0
    made = 0

    def make(self):
        self.made += 1
        self.now_s += 2.0
        return b"made %d\n" % self.made * 100_000

    def page(self):
        """Return an application with them; to be made where an event loop runs."""
        application = web.Application()
        shown = MetricsPage(self.make, "text/plain", monotonic_s=lambda: self.now_s)
        application.router.add_get("/metrics", shown.show)
        return application


def test_metrics_that_take_long_are_made_once_for_all_who_ask_meanwhile():
    slow = Slow()

    async def exchange():
        async with TestClient(TestServer(slow.page())) as client:

            async def read():
                return await (await client.get("/metrics")).read()

            first = await asyncio.gather(*(read() for _ in range(20)))
            slow.now_s += 7.0
            kept = await read()
            slow.now_s += 1.0
            return first, kept, await read()

    first, kept, later = asyncio.run(exchange())

    assert {*first, kept} == {b"made 1\n" * 100_000}
    assert later == b"made 2\n" * 100_000


def test_a_head_has_the_length_of_the_metrics_and_no_body():
    async def exchange():
        async with TestClient(TestServer(Slow().page())) as client:
            answer = await client.head("/metrics")
            return answer.status, answer.headers["Content-Length"], await answer.read()

    assert asyncio.run(exchange()) == (200, "700000", b"")
