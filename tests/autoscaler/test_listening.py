import asyncio
import os
import signal

import pytest
from aiohttp import web

from autoscaler.errors import UsageError
from autoscaler.health import Readiness
from autoscaler.listening import MOST_CONNECTIONS, listening, run_until, stop_on_signals
from tests.components.processes import LOOPBACK, free_port

DEADLINE_S = 20.0


def test_a_signal_stops_and_a_second_one_is_left_to_the_system():
    async def run():
        stopping = asyncio.Event()
        stop_on_signals(stopping)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stopping.wait(), DEADLINE_S)

    before = signal.getsignal(signal.SIGTERM)
    asyncio.run(run())

    assert signal.getsignal(signal.SIGTERM) is before


def test_an_address_that_is_none_of_the_machine_is_a_wrong_argument():
    async def run():
        async with listening(web.Application(), "no-host.invalid", 8080, None):
            pass

    with pytest.raises(UsageError) as caught:
        asyncio.run(run())

    assert str(caught.value) == (
        "cannot listen on port 8080 of no-host.invalid: it is no address of this machine; allowed: "
        "an IP address, see --bind-address"
    )


async def answered(_request):
    return web.Response()


def test_connections_that_ask_nothing_end_for_those_that_do():
    application = web.Application()
    application.router.add_get("/", answered)
    port = free_port()

    async def ask():
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), DEADLINE_S)
        writer.close()
        return answer

    async def run():
        async with listening(application, LOOPBACK, port, None):
            idle = [await asyncio.open_connection(LOOPBACK, port) for _ in range(MOST_CONNECTIONS)]
            answer = await ask()
            first, last = idle[0][0], idle[-1][0]
            ended = await asyncio.wait_for(first.read(), DEADLINE_S)
            is_last_open = not last.at_eof()
            for _, writer in idle:
                writer.close()
        return answer, ended, is_last_open

    answer, ended, is_last_open = asyncio.run(run())

    assert answer.startswith(b"HTTP/1.1 200")
    assert (ended, is_last_open) == (b"", True)


def test_what_runs_is_told_to_end_when_the_process_already_drains():
    readiness, seen = Readiness(), []

    def run(stop):
        stop.wait(DEADLINE_S)
        seen.append((stop.is_set(), readiness.is_draining))

    async def process():
        stopping = asyncio.Event()
        asyncio.get_running_loop().call_soon(stopping.set)
        await run_until(stopping, run, readiness)

    asyncio.run(process())

    assert seen == [(True, True)]


def test_the_error_of_what_ends_by_itself_is_raised():
    def run(_stop):
        raise UsageError("it cannot go on")

    async def process():
        await run_until(asyncio.Event(), run, Readiness())

    with pytest.raises(UsageError, match="it cannot go on"):
        asyncio.run(process())
