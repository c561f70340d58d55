"""The webhook over HTTP: what the API server asks by POST, over TLS.

Whoever looks after the process comes without TLS and finds ``autoscaler.health`` on another port.
The ports, and how they come up and go down, are ``serving``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from autoscaler.errors import InputError
from autoscaler.health import Readiness, add_health
from autoscaler.webhook.admission import Admission
from autoscaler.webhook.counts import AdmissionCounts, Outcome, Webhook
from autoscaler.webhook.review import Review, decode, encode

PATHS = {
    "/admit/pods": Webhook.PODS,
    "/validate/objects": Webhook.OBJECTS,
    "/validate/templates": Webhook.TEMPLATES,
}
BODY_BYTES = 8 * 2**20
"""Largest body; the API server itself takes objects of at most 3 MiB, and sends two of them."""
BODY_S = 5.0
"""How long a body may take to come; the API server waits no longer for the whole answer."""
BODIES_AT_ONCE = 16
"""Bodies that are read at the same time, so that their memory has a bound.  The API server has its
own ready at once; whoever else reaches the port may send theirs as slowly as they like."""
DEFECT = "a defect of the webhook; its log says more"

Answer = Callable[[Webhook, Review], Awaitable[Admission]]
"""Answers a review; anything raised is a defect."""

_log = logging.getLogger(__name__)


def admission_application(
    answer: Answer, readiness: Readiness, counts: AdmissionCounts, *, body_s: float = BODY_S
) -> web.Application:
    """Return what is served with TLS: a path for each webhook, and the pages of health."""
    application = web.Application(client_max_size=BODY_BYTES)
    bodies = _Bodies(body_s)
    for path, webhook in PATHS.items():
        application.router.add_post(path, _handler(webhook, answer, readiness, counts, bodies))
    add_health(application, readiness)
    return application


class _Bodies:
    """Reads bodies, each within ``body_s`` seconds.

    Where many are read already, the one that is longest on its way gives way to the next: whoever
    waited for a place would wait for those that never send theirs.
    """

    def __init__(self, body_s: float) -> None:
        self._body_s = body_s
        self._limits: dict[asyncio.Timeout, None] = {}
        """Of those that are read, the oldest first."""

    async def read(self, request: web.Request) -> bytes:
        """Return the body of a request.  Raises what is answered where it did not come."""
        if len(self._limits) >= BODIES_AT_ONCE:
            oldest = next(iter(self._limits))
            del self._limits[oldest]
            if not oldest.expired():
                oldest.reschedule(asyncio.get_running_loop().time())
        limit = asyncio.timeout(self._body_s)
        try:
            async with limit:
                self._limits[limit] = None
                return await request.read()
        except TimeoutError:
            late = web.HTTPRequestTimeout(text="the body did not come in time\n")
            late.force_close()
            raise late from None
        except OSError as error:
            raise web.HTTPBadRequest(text="the connection ended\n") from error
        finally:
            self._limits.pop(limit, None)


def _handler(
    webhook: Webhook,
    answer: Answer,
    readiness: Readiness,
    counts: AdmissionCounts,
    bodies: _Bodies,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            body = await bodies.read(request)
        except web.HTTPClientError:
            counts.observe(webhook, Outcome.BAD_REQUEST, duration_s=0.0)
            raise
        start_s = time.monotonic()
        outcome, response = await _answered(webhook, answer, body)
        counts.observe(webhook, outcome, duration_s=time.monotonic() - start_s)
        if readiness.is_draining:
            # Connections are kept open by the API server and would outlive the endpoint.
            response.force_close()
        return response

    return handle


async def _answered(webhook: Webhook, answer: Answer, body: bytes) -> tuple[Outcome, web.Response]:
    try:
        review = decode(body)
    except InputError as error:
        _log.warning("%s: %s", webhook, error)
        return Outcome.BAD_REQUEST, web.Response(status=400, text=f"{error}\n")
    try:
        admission = await answer(webhook, review)
        encoded = encode(review.uid, admission)
    except Exception:  # noqa: BLE001 - whatever it is, the API server must hear of it
        _log.exception("%s: a defect while answering %s", webhook, review.subject)
        return Outcome.DEFECT, web.Response(status=500, text=f"{DEFECT}\n")
    if admission.error:
        _log.info("%s: refused %s: %s", webhook, review.subject, admission.error)
    response = web.Response(body=encoded, content_type="application/json")
    return _outcome(admission), response


def _outcome(admission: Admission) -> Outcome:
    if admission.error:
        return Outcome.REFUSED
    return Outcome.PATCHED if admission.patch else Outcome.ALLOWED
