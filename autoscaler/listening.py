"""What every process does around its ports: signals, sockets, and telling when it is ready."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from aiohttp import web

from autoscaler.errors import UsageError
from autoscaler.health import Readiness

KEEP_ALIVE_S = 120.0
"""Longer than the 90 s after which the API server closes an idle connection: who asks closes it,
else a request may meet a connection that is just being closed."""
CLOSING_S = 5.0
"""How long requests that are being answered may take when the ports close."""
MOST_CONNECTIONS = 400
"""Of a port without TLS, which everybody reaches: many more would take the file descriptors that
the process needs for the API server."""
LOOK_EVERY_S = 0.5
"""Between two looks at what keeps the process from being ready, for the log alone."""

_log = logging.getLogger(__name__)


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


async def run_until(
    stopping: asyncio.Event, run: Callable[[threading.Event], None], readiness: Readiness
) -> None:
    """Run in a thread until ``stopping`` is set; ``run`` gets an event that is set then.

    What ends by itself has failed, and its error is raised.
    """
    stop = threading.Event()
    running = asyncio.create_task(asyncio.to_thread(run, stop))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
    readiness.is_draining = True
    stop.set()
    waiting.cancel()
    await running


@asynccontextmanager
async def listening(
    application: web.Application, address: str | None, port: int, context: ssl.SSLContext | None
) -> AsyncIterator[web.Server]:
    """Serve at a port while the context lasts, with TLS where there is a ``context`` for it.

    An ``address`` of None is all of the machine's.  Without TLS there are ``MOST_CONNECTIONS``, of
    which the oldest ends for the next one.  Raises ``UsageError`` where the port is taken.
    """
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=KEEP_ALIVE_S,
        shutdown_timeout=CLOSING_S,
    )
    await runner.setup()
    server = runner.server
    assert server is not None, "it is there once the runner is set up"
    connected = partial(_connected, server) if context is None else server
    try:
        try:
            loop = asyncio.get_running_loop()
            listener = await loop.create_server(connected, address, port, ssl=context)
        except OSError as error:
            raise UsageError(f"cannot listen on {_place(address, port)}: {_why(error)}") from error
        _log.info("listening on port %d with%s TLS", port, "" if context else "out")
        try:
            yield server
        finally:
            listener.close()
    finally:
        await runner.cleanup()


def _connected(server: web.Server) -> web.RequestHandler:
    """Return who answers a new connection; where there are enough, the oldest one ends for it."""
    connections = server.connections
    if len(connections) >= MOST_CONNECTIONS:
        connections[0].force_close()
    return server()


def _place(address: str | None, port: int) -> str:
    return f"port {port}" if address is None else f"port {port} of {address}"


def _why(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "it is no address of this machine; allowed: an IP address, see --bind-address"
    if error.errno == errno.EADDRINUSE:
        return "another process listens there; end that one, or name another port"
    return os.strerror(error.errno) if error.errno else str(error)


@asynccontextmanager
async def readiness_told(readiness: Readiness) -> AsyncIterator[None]:
    """Log each change of what keeps the process from being ready, while the context lasts."""
    telling = asyncio.create_task(_tell(readiness))
    try:
        yield
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling


async def _tell(readiness: Readiness) -> None:
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
