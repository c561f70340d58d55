import asyncio
import ssl
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from autoscaler.errors import UsageError
from autoscaler.health import Readiness, health_application
from autoscaler.kube.certificates import new_authority_and_serving
from autoscaler.webhook.admission import Admission
from autoscaler.webhook.counts import AdmissionCounts
from autoscaler.webhook.server import admission_application
from autoscaler.webhook.serving import MOST_MOMENTS, Ports, drained, serve
from autoscaler.webhook.serving_certificate import ServingCertificate
from tests.autoscaler.webhook.reviews import review
from tests.components.processes import LOOPBACK, free_port, until

DEADLINE_S = 20.0


def issued():
    return new_authority_and_serving([LOOPBACK], now_s=time.time(), lifetime_s=3600.0)


class Process:
    """A process that serves, and a client that trusts the given authorities."""

    def __init__(self, *, drain_s=0.0):
        self.certificate = ServingCertificate(time.time)
        self.readiness = Readiness(self.certificate.problems)
        self.stopping = asyncio.Event()
        self.ports = Ports(address=LOOPBACK, admission=free_port(), health=free_port())
        self.drain_s = drain_s
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def answer(self, _webhook, _review):
        self.asked.set()
        await self.may_answer.wait()
        return Admission()

    def offer(self, new):
        assert self.certificate.offer(new.serving.certificate.encode(), new.serving.key.encode())

    @asynccontextmanager
    async def running(self):
        serving = asyncio.create_task(
            serve(
                admission_application(self.answer, self.readiness, AdmissionCounts()),
                health_application(self.readiness, lambda: b"", "text/plain"),
                ports=self.ports,
                certificate=self.certificate,
                readiness=self.readiness,
                drain_s=self.drain_s,
                stopping=self.stopping,
            )
        )
        try:
            yield serving
        finally:
            self.stopping.set()
            if not serving.done():
                await asyncio.wait_for(serving, DEADLINE_S)

    async def health(self, path):
        async with aiohttp.ClientSession() as session:
            url = f"http://{LOOPBACK}:{self.ports.health}{path}"
            async with session.get(url) as answer:
                return answer.status, await answer.text()

    async def admit(self, authority, session=None):
        """Return the status of an admission on a fresh connection, or on one of a session."""
        trusted = ssl.create_default_context(cadata=authority)
        own = session or aiohttp.ClientSession()
        try:
            url = f"https://{LOOPBACK}:{self.ports.admission}/admit/pods"
            async with own.post(url, data=review(), ssl=trusted) as answer:
                await answer.read()
                return answer.status
        finally:
            if session is None:
                await own.close()

    async def until(self, ask, expected):
        """Ask until the answer is the expected one; an unreachable server answers None."""
        loop = asyncio.get_running_loop()

        def is_so():
            asked = asyncio.run_coroutine_threadsafe(self._asked(ask), loop)
            return asked.result(DEADLINE_S) == expected

        what = f"the answer is {expected!r}"
        await asyncio.to_thread(until, is_so, what=what, deadline_s=DEADLINE_S)
        return expected

    @staticmethod
    async def _asked(ask):
        try:
            return await ask()
        except aiohttp.ClientConnectionError:
            return None


def test_the_port_with_tls_opens_when_there_is_a_certificate():
    async def run():
        process, new = Process(), issued()
        async with process.running():
            before = await process.until(
                lambda: process.health("/readyz"),
                (503, "no certificate to serve with: none was found yet\n"),
            )
            closed = await process._asked(lambda: process.admit(new.authority))
            process.offer(new)
            await process.until(lambda: process.admit(new.authority), 200)
            return before, closed, await process.health("/readyz")

    before, closed, after = asyncio.run(run())

    assert before[0] == 503
    assert closed is None
    assert after == (200, "ok\n")


def test_a_connection_that_ends_within_a_body_is_no_defect(caplog):
    async def run():
        process, new = Process(), issued()
        process.offer(new)
        async with process.running():
            await process.until(lambda: process.admit(new.authority), 200)
            trusted = ssl.create_default_context(cadata=new.authority)
            _, writer = await asyncio.open_connection(
                LOOPBACK, process.ports.admission, ssl=trusted
            )
            writer.write(b"POST /admit/pods HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
            await writer.drain()
            # The body is being read by the time that another request is answered.
            await process.admit(new.authority)
            writer.transport.abort()
            await process.until(lambda: process.admit(new.authority), 200)

    asyncio.run(run())

    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_new_certificate_is_served_to_fresh_connections_and_open_ones_go_on():
    async def run():
        process, first, second = Process(), issued(), issued()
        process.offer(first)
        async with process.running(), aiohttp.ClientSession() as kept:
            await process.until(lambda: process.admit(first.authority, kept), 200)
            process.offer(second)
            fresh = await process.admit(second.authority)
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await process.admit(first.authority)
            return fresh

    assert asyncio.run(run()) == 200


def test_a_process_that_drains_answers_while_it_says_that_it_is_not_ready():
    async def run():
        process, new = Process(drain_s=600.0), issued()
        process.offer(new)
        async with process.running() as serving:
            await process.until(lambda: process.admit(new.authority), 200)
            process.stopping.set()
            ready = await process.until(
                lambda: process.health("/readyz"), (503, "the process is about to end\n")
            )
            admitted = await process.admit(new.authority)
            serving.cancel()
            await asyncio.wait([serving])
            return ready, admitted

    ready, admitted = asyncio.run(run())
    assert (ready[0], admitted) == (503, 200)


def test_a_request_that_is_being_answered_at_the_end_gets_its_answer():
    async def run():
        process, new = Process(), issued()
        process.offer(new)
        async with process.running() as serving:
            await process.until(lambda: process.admit(new.authority), 200)
            process.asked.clear()
            process.may_answer.clear()
            admitting = asyncio.create_task(process.admit(new.authority))
            await asyncio.wait_for(process.asked.wait(), DEADLINE_S)
            process.stopping.set()
            await process.until(lambda: process.admit(new.authority), None)
            process.may_answer.set()
            status = await asyncio.wait_for(admitting, DEADLINE_S)
            await asyncio.wait_for(serving, DEADLINE_S)
            return status

    assert asyncio.run(run()) == 200


class Asked:
    """What counts requests, as a server does: each moment brings one, for so many moments."""

    def __init__(self, moments):
        self.moments = moments
        self.looks = 0

    @property
    def requests_count(self):
        self.looks += 1
        # A moment has two looks, before and after it.
        return min(self.looks // 2, self.moments)


@pytest.mark.parametrize(
    ("moments", "waited"), [(0, 1), (2, 3), (MOST_MOMENTS, MOST_MOMENTS), (99, MOST_MOMENTS)]
)
def test_ports_close_after_a_moment_without_a_request(moments, waited):
    asked = Asked(moments)

    asyncio.run(drained(asked, drain_s=0.001))

    assert asked.looks == 2 * waited


def test_a_port_that_is_taken_is_a_wrong_argument():
    async def run():
        process = Process()
        runner = web.AppRunner(web.Application())
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, process.ports.health).start()
        try:
            with pytest.raises(UsageError) as caught:
                async with process.running() as serving:
                    await serving
            return process.ports.health, str(caught.value)
        finally:
            await runner.cleanup()

    port, message = asyncio.run(run())
    place = f"port {port} of {LOOPBACK}"
    assert message.startswith(f"cannot listen on {place}: another process listens there; end that")


def test_what_keeps_a_process_from_being_ready_is_logged_once(caplog):
    caplog.set_level("INFO")

    async def until_told(expected):
        def is_told():
            return expected in [record.getMessage() for record in caplog.records]

        await asyncio.to_thread(until, is_told, what=expected, deadline_s=DEADLINE_S)

    async def run():
        process, new = Process(), issued()
        async with process.running():
            await until_told("not ready: no certificate to serve with: none was found yet")
            process.offer(new)
            await until_told("ready")

    asyncio.run(run())

    told = [r.getMessage() for r in caplog.records if "ready" in r.getMessage()]
    assert told[:2] == [
        "not ready: no certificate to serve with: none was found yet",
        "ready",
    ]
