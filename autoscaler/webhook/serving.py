"""How the webhook comes up and goes down: its two ports, and the drain before its end.

The port with TLS opens when there is a certificate.  At the end the process first says that it is
not ready, goes on answering until nobody is sent to it any more, and closes its ports then: the
order in which a cluster takes an endpoint away.  On a machine that stood still meanwhile, requests
may wait at the end of the drain that would find their connection closed: the API server does not
send them again.  So the ports close after a moment without any.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from aiohttp import web

from autoscaler.health import Readiness
from autoscaler.listening import listening, readiness_told
from autoscaler.webhook.serving_certificate import ServingCertificate

QUIET_S = 1.0
"""Without a request, after which the ports close; no longer than the drain."""
MOST_MOMENTS = 5
"""Such moments that are waited for, where requests keep coming."""

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
    """Serve until ``stopping`` is set, and then for ``drain_s`` and until nobody asks.

    Raises ``UsageError`` where a port is taken.
    """
    async with listening(health, ports.address, ports.health, None), readiness_told(readiness):
        if await _first_certificate(certificate, stopping):
            listener = listening(admission, ports.address, ports.admission, certificate.context)
            async with listener as server:
                await stopping.wait()
                readiness.is_draining = True
                _log.info("about to end: answering for %g s more", drain_s)
                await drained(server, drain_s)


async def drained(server: web.Server, drain_s: float) -> None:
    """Wait for ``drain_s``, and on while each moment brings requests."""
    quiet_s = min(QUIET_S, drain_s)
    await asyncio.sleep(drain_s - quiet_s)
    for _ in range(MOST_MOMENTS):
        before = server.requests_count
        await asyncio.sleep(quiet_s)
        if server.requests_count == before:
            return


async def _first_certificate(certificate: ServingCertificate, stopping: asyncio.Event) -> bool:
    """Wait until there is a certificate; False where the process is to end before."""
    waiting = [asyncio.create_task(event.wait()) for event in (certificate.arrived, stopping)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    return not stopping.is_set()
