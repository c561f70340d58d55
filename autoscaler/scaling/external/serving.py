"""The endpoint that an upstream operator asks: its protocol ``externalScaler`` over HTTP.

Everything but a well-formed question of somebody who bears the token is answered with an error as
JSON.  A workload of which nothing is known gets an answer without a wish, because an operator that
gets an error drops the recommendations of all others in that round.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from autoscaler.errors import InputError
from autoscaler.scaling.external.protocol import BODY_BYTES, encode_reply, read_question

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from autoscaler.scaling.external.protocol import Question, Reply
    from autoscaler.scaling.external.token_file import TokenFile

    Answer = Callable[[Question], Reply]

PATH = "/api/v1/external-scaler"
BODY_S = 5.0
"""How long a body may take to come; the operator waits 10 s for the whole answer."""
BODIES_AT_ONCE = 64
"""Bodies that are read at the same time, so that their memory has a bound."""
NO_TOKEN = (
    "the external scaler is not served: the process was started without "  # noqa: S105 - a sentence
    "--external-scaler-token-file"
)
WRONG_TOKEN = "the token is missing or wrong; needed: Authorization: Bearer TOKEN"  # noqa: S105
CHALLENGE = 'Bearer realm="tensor-fusion-autoscaler"'
NOT_HERE = "the external scaler is served with --profile beside-upstream only"
_log = logging.getLogger(__name__)


def add_external_scaler(
    application: web.Application,
    answer: Answer | None,
    token: TokenFile | None,
    *,
    body_s: float = BODY_S,
) -> None:
    """Serve the endpoint at ``PATH`` of an application.

    ``answer`` of None: nothing is published in this profile; ``token`` of None: nobody may ask.
    Both are answered with 404 and the reason.
    """
    endpoint = _Endpoint(answer, token, body_s)
    application.router.add_route("*", PATH, endpoint.handle)


class _Endpoint:
    def __init__(self, answer: Answer | None, token: TokenFile | None, body_s: float) -> None:
        self._answer = answer
        self._token = token
        self._body_s = body_s
        self._reading = 0

    async def handle(self, request: web.Request) -> web.Response:
        try:
            answer = self._admitted(request)
            question = read_question(await self._body(request))
        except InputError as error:
            return _error(400, str(error))
        except _RefusedError as refused:
            return _error(refused.status, str(refused), refused.headers)
        try:
            reply = encode_reply(answer(question))
        except Exception:  # noqa: BLE001 - whatever it is, the operator must get an answer
            _log.exception("a defect while answering %s/%s", question.namespace, question.workload)
            return _error(500, "a defect of the autoscaler; its log says more")
        return web.Response(body=reply, content_type="application/json")

    def _admitted(self, request: web.Request) -> Answer:
        """Return who answers a request, once it may be answered; raises ``_RefusedError``."""
        if self._answer is None:
            raise _RefusedError(404, NOT_HERE)
        if self._token is None:
            raise _RefusedError(404, NO_TOKEN)
        if not self._token.matches(request.headers.get("Authorization")):
            raise _RefusedError(401, WRONG_TOKEN, {"WWW-Authenticate": CHALLENGE})
        if request.method != "POST":
            text = f"{request.method} is not allowed; allowed: POST"
            raise _RefusedError(405, text, {"Allow": "POST"})
        return self._answer

    async def _body(self, request: web.Request) -> bytes:
        """Return the body.  Raises ``_RefusedError`` where it does not come as it should."""
        too_large = _RefusedError(413, f"the body is too large; allowed: {BODY_BYTES} bytes")
        if (request.content_length or 0) > BODY_BYTES:
            raise too_large
        if self._reading >= BODIES_AT_ONCE:
            raise _RefusedError(503, f"{BODIES_AT_ONCE} questions are being read; ask again later")
        self._reading += 1
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_s):
                async for step in request.content.iter_any():
                    body += step
                    if len(body) > BODY_BYTES:
                        raise too_large
        except TimeoutError:
            late = f"the body did not come within {self._body_s:g} s"
            raise _RefusedError(408, late) from None
        except OSError:
            raise _RefusedError(400, "the connection ended within the body") from None
        finally:
            self._reading -= 1
        return bytes(body)


class _RefusedError(Exception):
    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers


def _error(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    body = orjson.dumps({"error": text})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
