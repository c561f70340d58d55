import asyncio
import os
import signal

import pytest
from aiohttp import web

from autoscaler.errors import UsageError
from autoscaler.listening import listening, stop_on_signals

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
