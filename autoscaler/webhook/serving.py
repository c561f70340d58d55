"""How the webhook comes up and goes down: its two ports, and the drain before its end.

The port with TLS opens when there is a certificate.  At the end the process first says that it is
not ready, goes on answering until nobody is sent to it any more, and closes its ports then: the
order in which a cluster takes an endpoint away.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import web

from autoscaler.errors import UsageError
from autoscaler.webhook.server import Readiness
from autoscaler.webhook.serving_certificate import ServingCertificate

KEEP_ALIVE_S = 120.0
"""Longer than the 90 s after which the API server closes an idle connection: who asks closes it,
else a request may meet a connection that is just being closed."""
CLOSING_S = 5.0
"""How long requests that are being answered may take when the ports close."""
LOOK_EVERY_S = 0.5
"""Between two looks at what keeps the process from being ready, for the log alone."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the process listens."""

    address: str | None
    """None: all addresses of the machine."""
    admission: int
    health: int


async def serve(
    admission: web.Application,
    health: web.Application,
    *,
    ports: Ports,
    certificate: ServingCertificate,
    readiness: Readiness,
    drain_s: float,
    stopping: asyncio.Event,
) -> None:
    """Serve until ``stopping`` is set, and then for ``drain_s`` more.

    Raises ``UsageError`` where a port is taken.
    """
    async with _listening(health, ports.address, ports.health, None):
        watching = asyncio.create_task(_tell_readiness(readiness))
        try:
            if await _first_certificate(certificate, stopping):
                async with _listening(
                    admission, ports.address, ports.admission, certificate.context
                ):
                    await stopping.wait()
                    readiness.is_draining = True
                    _log.info("about to end: answering for %g s more", drain_s)
                    await asyncio.sleep(drain_s)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set ``stopping`` at SIGTERM and SIGINT; a second signal ends the process at once."""
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        _log.info("received %s", number.name)
        stopping.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)


@asynccontextmanager
async def _listening(
    application: web.Application, address: str | None, port: int, context: ssl.SSLContext | None
) -> AsyncIterator[None]:
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=KEEP_ALIVE_S,
        shutdown_timeout=CLOSING_S,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address, port, ssl_context=context).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise UsageError(f"cannot listen on port {port}: {why}") from error
        _log.info("listening on port %d with%s TLS", port, "" if context else "out")
        yield
    finally:
        await runner.cleanup()


async def _first_certificate(certificate: ServingCertificate, stopping: asyncio.Event) -> bool:
    """Wait until there is a certificate; False where the process is to end before."""
    waiting = [asyncio.create_task(event.wait()) for event in (certificate.arrived, stopping)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    return not stopping.is_set()


async def _tell_readiness(readiness: Readiness) -> None:
    """Log each change of what keeps the process from being ready."""
    told: tuple[str, ...] | None = None
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        problems = readiness.problems()
        if problems == told:
            continue
        told = problems
        if problems:
            _log.warning("not ready: %s", "; ".join(problems))
        else:
            _log.info("ready")
