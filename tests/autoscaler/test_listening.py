import asyncio
import os
import signal

from autoscaler.listening import stop_on_signals

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
