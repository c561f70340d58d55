"""Readers who reach a process that does not work are passed on to the one that does.

A Service leads to all processes of an installation, and only one of them has something to show.
What is asked and answered goes through unchanged; who may read is checked there.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import hdrs, web

if TYPE_CHECKING:
    from multidict import CIMultiDict, CIMultiDictProxy

TIMEOUT_S = 30.0
"""Of a whole answer; a report that is being made is waited for that long."""
CONNECT_S = 3.0
PASSED_ON = "X-Tensor-Fusion-Forwarded"
"""A request with this header is not passed on again, so that it cannot go round in circles."""
OF_A_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that are about one connection, or follow from the body."""
_SESSION = web.AppKey("forwarding", aiohttp.ClientSession)
_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def forward(application: web.Application, leader: Callable[[], str], port: int) -> None:
    """Let an application pass requests on while another process leads.

    ``leader`` returns the IP address of the process that leads; empty: it is this one, or nobody
    knows.  Its page is at the same ``port``.
    """

    async def session(app: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, connect=CONNECT_S)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as opened:
            app[_SESSION] = opened
            yield

    @web.middleware
    async def pass_on(request: web.Request, handler: Handler) -> web.StreamResponse:
        address = leader()
        # What is no path ("*", or a host and port) would become a part of another address.
        if not address or PASSED_ON in request.headers or not request.path.startswith("/"):
            return await handler(request)
        host = f"[{address}]" if ":" in address else address
        try:
            return await _answer(request, f"http://{host}:{port}{request.path_qs}")
        except (aiohttp.ClientError, TimeoutError) as error:
            _log.warning("the page of the process at %s cannot be had: %r", address, error)
            return await handler(request)

    application.cleanup_ctx.append(session)
    application.middlewares.append(pass_on)


async def _answer(request: web.Request, url: str) -> web.Response:
    headers = _without_connection(request.headers)
    headers[PASSED_ON] = "1"
    async with request.app[_SESSION].request(
        request.method,
        url,
        headers=headers,
        data=request.content if request.can_read_body else None,
        allow_redirects=False,
    ) as answer:
        body = await answer.read()
        return web.Response(
            status=answer.status, body=body, headers=_without_connection(answer.headers)
        )


def _without_connection(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept = headers.copy()
    named = {name.strip().lower() for name in headers.get(hdrs.CONNECTION, "").split(",")}
    for name in {*map(str.lower, headers)} & (OF_A_CONNECTION | named):
        kept.popall(name, None)
    return kept
