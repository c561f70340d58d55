"""What a process says of itself over HTTP: whether it lives, whether it is ready, its metrics.

Served without TLS and on a port of its own, for whoever looks after the process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from aiohttp import hdrs, web

KEPT_TIMES = 4
"""Metrics that took a second to make are those of the next four, whoever asks how often."""
PIECE_BYTES = 256 * 2**10


class Readiness:
    """Whether the process wants requests: all parts are ready, and it is not about to end."""

    def __init__(self, *parts: Callable[[], Sequence[str]]) -> None:
        self._parts = parts
        self.is_draining = False
        """Set once the process is to end: it still answers, but wants no new connections."""

    def problems(self) -> tuple[str, ...]:
        """Return why it does not want requests; nothing: it does."""
        draining = ("the process is about to end",) if self.is_draining else ()
        return (*draining, *(problem for part in self._parts for problem in part()))


def nothing_stuck() -> Sequence[str]:
    """Return what a process says that is never stuck: nothing."""
    return ()


def health_application(
    readiness: Readiness,
    metrics: Callable[[], bytes],
    content_type: str,
    *,
    stuck: Callable[[], Sequence[str]] = nothing_stuck,
) -> web.Application:
    """Return what is served without TLS: the pages of health, and the metrics as text.

    ``stuck`` returns what only a restart helps against.
    """

    async def show_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": content_type})

    application = web.Application()
    add_health(application, readiness, stuck=stuck)
    application.router.add_get("/metrics", show_metrics)
    return application


class MetricsPage:
    """Metrics of many lines: made on a thread, once for all who ask meanwhile, and sent in pieces.

    So neither many readers nor slow ones take the time and the memory of the process.
    """

    def __init__(
        self,
        make: Callable[[], bytes],
        content_type: str,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._content_type = content_type
        self._monotonic_s = monotonic_s
        self._lock = asyncio.Lock()
        self._text = b""
        self._kept_until_s = monotonic_s()

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Answer a request with the metrics."""
        async with self._lock:
            began_s = self._monotonic_s()
            if began_s >= self._kept_until_s:
                self._text = await asyncio.to_thread(self._make)
                ended_s = self._monotonic_s()
                self._kept_until_s = ended_s + KEPT_TIMES * (ended_s - began_s)
            text = self._text
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: self._content_type})
        response.content_length = len(text)
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            for start in range(0, len(text), PIECE_BYTES):
                await response.write(text[start : start + PIECE_BYTES])
        await response.write_eof()
        return response


def add_health(
    application: web.Application,
    readiness: Readiness,
    *,
    stuck: Callable[[], Sequence[str]] = nothing_stuck,
) -> None:
    """Add the pages of health to an application; ``stuck`` as in ``health_application``."""

    async def healthz(_request: web.Request) -> web.Response:
        return _told(stuck())

    async def readyz(_request: web.Request) -> web.Response:
        return _told(readiness.problems())

    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)


def _told(problems: Sequence[str]) -> web.Response:
    if problems:
        return web.Response(status=503, text="".join(f"{line}\n" for line in problems))
    return web.Response(text="ok\n")
