"""How answers leave: encodings, tags for caches, errors as JSON, headers that protect readers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import ETag, hdrs, web

from autoscaler.scaling.page import waiting_page
from autoscaler.scaling.page.answers import Problem
from autoscaler.scaling.page.encoded import Encoded
from autoscaler.scaling.page.formats import HTML_TYPE, JSON_TYPE
from recommender.report.page import security_policy

AGAIN_S = 2
"""Asked to wait where there is nothing to tell yet."""
NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache, private",
    "Vary": "Accept-Encoding, Authorization",
}
_FRAMED_BY_NOBODY = "; frame-ancestors 'none'"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def send(request: web.Request, text: Encoded, **headers: str) -> web.Response:
    """Return an answer, or that the caller has it already."""
    is_compressed = text.compressed is not None and "gzip" in request.headers.get(
        hdrs.ACCEPT_ENCODING, ""
    )
    tag = ETag(value=f"{text.tag}-gzip" if is_compressed else text.tag)
    asked = request.if_none_match or ()
    if any(each.value in {tag.value, "*"} for each in asked):
        known = web.Response(status=304, headers=headers)
        known.etag = tag
        return known
    body = text.compressed if is_compressed else text.plain
    response = web.Response(body=body, headers={"Content-Type": text.content_type, **headers})
    response.etag = tag
    if is_compressed:
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    if text.content_type.startswith(HTML_TYPE):
        response.headers["Content-Security-Policy"] = security_policy() + _FRAMED_BY_NOBODY
    return response


def problem(status: int, text: str, **headers: str) -> web.Response:
    """Return an error as JSON."""
    return web.Response(
        status=status,
        body=orjson.dumps(Problem(error=text)) + b"\n",
        headers={"Content-Type": JSON_TYPE, **headers},
    )


def absent(reason: str, *, is_page: bool) -> web.Response:
    """Return that there is nothing to tell yet.

    The connection is closed: behind a Service the next one may reach the process that leads.
    """
    if is_page:
        response = web.Response(
            status=503,
            text=waiting_page.waiting_page(reason),
            content_type=HTML_TYPE,
            charset="utf-8",
            headers={"Content-Security-Policy": waiting_page.POLICY + _FRAMED_BY_NOBODY},
        )
    else:
        response = problem(503, reason)
    response.headers[hdrs.RETRY_AFTER] = str(AGAIN_S)
    response.force_close()
    return response


async def protect(_request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that every answer has; for ``on_response_prepare``."""
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", NO_CONTENT_POLICY)
    response.headers[hdrs.SERVER] = "tfa"


@web.middleware
async def errors_as_json(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answer in JSON what the framework itself refuses: paths and methods that there are not."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        text = f"{request.method} is not allowed here; allowed: {allowed}"
        return problem(405, text, Allow=allowed)
    except web.HTTPNotFound:
        known = ", ".join(
            sorted({resource.canonical for resource in request.app.router.resources()})
        )
        return problem(404, f"there is no such path; there are: {known}")
    except web.HTTPException as error:
        return problem(error.status, error.text or error.reason)
