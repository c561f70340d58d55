"""The page and the JSON API over HTTP: who may ask, and which answer each path gives.

Everything is read only.  Work that takes longer than a moment runs on a thread; nothing here
waits for the loop of the autoscaler.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from autoscaler.errors import UsageError
from autoscaler.scaling.page import asked, routes
from autoscaler.scaling.page.board import NOT_YET
from autoscaler.scaling.page.encoded import Encoded, encoded
from autoscaler.scaling.page.formats import JSON_TYPE
from autoscaler.scaling.page.openapi import render_description
from autoscaler.scaling.page.parameters import Values, read_values
from autoscaler.scaling.page.readers import CHALLENGES, REFUSAL, may_read
from autoscaler.scaling.page.responses import (
    absent,
    errors_as_json,
    problem,
    protect,
    send,
)
from autoscaler.scaling.page.waiting import WAIT_S, Waiting
from recommender.errors import InvalidValueError

if TYPE_CHECKING:
    from autoscaler.scaling.external.token_file import TokenFile
    from autoscaler.scaling.page.board import Board
    from autoscaler.scaling.page.building import Built
    from autoscaler.scaling.page.live_state import LiveState
    from autoscaler.scaling.page.routes import Route

AT_ONCE = 2
"""Answers that are rendered at the same time."""
MOST_IN_LINE = 32
"""Answers that wait for their turn; whoever comes then is asked to come again."""
BUSY = "many answers are being made; ask again"
BEING_MADE = "the report is being made"

_Answer = Callable[[web.Request, Values], Awaitable[web.Response]]
_log = logging.getLogger(__name__)


class _AbsentError(Exception):
    """There is nothing to tell now."""


def page_application(
    board: Board, *, token: TokenFile | None = None, wait_s: float = WAIT_S
) -> web.Application:
    """Return the application of the page's port; further routes may be added to its router.

    Where a ``token`` is given, only requests that carry it are answered.  ``wait_s`` seconds is
    how long a request waits for a report that is being made.
    """
    application = web.Application(middlewares=[errors_as_json])
    application.on_response_prepare.append(protect)
    pages = _Pages(board, wait_s)
    for route, answer in (
        (routes.PAGE, pages.page),
        (routes.REPORT, pages.report),
        (routes.WORKLOAD, pages.workload),
        (routes.DECISIONS, pages.decisions),
        (routes.DESCRIPTION, pages.description),
    ):
        application.router.add_get(route.path, _handler(route, answer, token))
    return application


def _handler(
    route: Route, answer: _Answer, token: TokenFile | None
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        if not may_read(token, request.headers.get(hdrs.AUTHORIZATION, "")):
            return _refused()
        try:
            values = read_values(route.parameters, list(request.query.items()))
            return await answer(request, values)
        except asked.NothingNamedError as error:
            return problem(404, str(error))
        except (UsageError, InvalidValueError) as error:
            return problem(400, str(error))
        except _AbsentError as error:
            return absent(str(error), is_page=route is routes.PAGE)
        except Exception:  # noqa: BLE001 - whatever it is, the caller must hear of it
            _log.exception("%s: a defect while answering", route.path)
            return problem(500, "a defect of the autoscaler; its log says more")

    return handle


def _refused() -> web.Response:
    response = problem(401, REFUSAL)
    for challenge in CHALLENGES:
        response.headers.add(hdrs.WWW_AUTHENTICATE, challenge)
    return response


@cache
def _description() -> Encoded:
    """Return the description of the API; few ask for it, and it takes a moment to make."""
    return encoded(render_description(), JSON_TYPE)


class _Pages:
    """The answers of all routes."""

    def __init__(self, board: Board, wait_s: float) -> None:
        self._board = board
        self._waiting = Waiting(board, wait_s)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._in_line = 0

    async def page(self, request: web.Request, _values: Values) -> web.Response:
        """Answer with the page."""
        built = await self._built()
        return send(request, built.page, Age=self._age(built))

    async def report(self, request: web.Request, values: Values) -> web.Response:
        """Answer with the report in some format."""
        built = await self._built()
        text = asked.finished_answer(built, values) or await self._rendered(
            lambda: asked.report_answer(built, values)
        )
        return send(request, text, Age=self._age(built))

    async def workload(self, request: web.Request, _values: Values) -> web.Response:
        """Answer with one workload; what is in force is told also while there is no report."""
        key = request.match_info["namespace"], request.match_info["name"]
        if key in self._live().rows:
            await self._waiting.until_fresh(key)
        live, built = self._live(), self._board.built
        return send(request, await self._rendered(lambda: asked.workload_answer(live, built, key)))

    async def decisions(self, request: web.Request, values: Values) -> web.Response:
        """Answer with remembered decisions."""
        live = self._live()
        return send(request, await self._rendered(lambda: asked.decisions_answer(live, values)))

    async def description(self, request: web.Request, _values: Values) -> web.Response:
        """Answer with the description of the API."""
        return send(request, _description())

    def _live(self) -> LiveState:
        live = self._board.live
        if live is None:
            raise _AbsentError(self._board.absence() or NOT_YET)
        return live

    async def _built(self) -> Built:
        await self._waiting.until_fresh()
        built = self._board.built
        if built is None:
            reason = self._board.absence()
            raise _AbsentError(reason or (NOT_YET if self._board.live is None else BEING_MADE))
        return built

    async def _rendered(self, make: Callable[[], Encoded]) -> Encoded:
        """Make an answer on a thread.  Raises ``_AbsentError`` where too many want one."""
        if self._in_line >= MOST_IN_LINE:
            raise _AbsentError(BUSY)
        self._in_line += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(make)
        finally:
            self._in_line -= 1

    def _age(self, built: Built) -> str:
        return str(int(self._board.age_s(built)))
