"""How the webhook comes up and goes down: its two ports, and the drain before its end.

The port with TLS opens when there is a certificate.  At the end the process first says that it is
not ready, goes on answering until nobody is sent to it any more, and closes its ports then: the
order in which a cluster takes an endpoint away.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from aiohttp import web

from autoscaler.health import Readiness
from autoscaler.listening import listening, readiness_told
from autoscaler.webhook.serving_certificate import ServingCertificate

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
    async with listening(health, ports.address, ports.health, None), readiness_told(readiness):
        if await _first_certificate(certificate, stopping):
            async with listening(admission, ports.address, ports.admission, certificate.context):
                await stopping.wait()
                readiness.is_draining = True
                _log.info("about to end: answering for %g s more", drain_s)
                await asyncio.sleep(drain_s)


async def _first_certificate(certificate: ServingCertificate, stopping: asyncio.Event) -> bool:
    """Wait until there is a certificate; False where the process is to end before."""
    waiting = [asyncio.create_task(event.wait()) for event in (certificate.arrived, stopping)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    return not stopping.is_set()
