"""Reports and workloads from a running autoscaler, as the commands show them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from autoscaler.cli.terminal import Terminal
from autoscaler.errors import AnswerError
from autoscaler.scaling.page.answers import WORKLOAD_SCHEMA, WorkloadAnswer
from autoscaler.scaling.page.routes import REPORT, WORKLOAD
from autoscaler.sources.live_server import LiveServer
from autoscaler.version import tool_version
from recommender.errors import InvalidValueError
from recommender.report.jsonform import read_report
from recommender.report.shape import decode
from recommender.sentences import duration

if TYPE_CHECKING:
    from autoscaler.sources.live_api import LiveAnswer
    from recommender.report.model import Report

OLD_S = 900.0
"""A report that is older is said to be so."""


def live_report(server: LiveServer, terminal: Terminal) -> Report:
    """Return the report that an autoscaler serves.  Raises ``SourceError`` and ``UsageError``."""
    answer = _get(server, REPORT.path)
    if answer.age_s > OLD_S:
        terminal.note(
            f"the report is {duration(answer.age_s)} old: the autoscaler has made no newer one"
        )
    try:
        return read_report(answer.body)
    except InvalidValueError as error:
        raise _not_understood(server, error) from error


def live_workload(server: LiveServer, name: str) -> WorkloadAnswer:
    """Return what an autoscaler knows of ``namespace/workload``.

    Raises ``UsageError`` with names like it where there is none, and ``SourceError``.
    """
    namespace, slash, workload = name.partition("/")
    if not slash:
        namespace, workload = "default", name
    path = WORKLOAD.path.format(namespace=quote(namespace, safe=""), name=quote(workload, safe=""))
    body = _get(server, path).body
    try:
        answer: WorkloadAnswer = decode(WorkloadAnswer, _known(orjson.loads(body)), "workload")
    except (orjson.JSONDecodeError, InvalidValueError) as error:
        raise _not_understood(server, error) from error
    return answer


def _get(server: LiveServer, path: str) -> LiveAnswer:
    from autoscaler.sources.live_api import LiveApi

    return LiveApi(server).get(path)


def _known(plain: object) -> object:
    """Return an answer of the version that is understood.  Raises ``InvalidValueError``."""
    schema = plain.get("schema") if isinstance(plain, dict) else None
    if schema != WORKLOAD_SCHEMA:
        raise InvalidValueError("workload.schema", schema, WORKLOAD_SCHEMA)
    return plain


def live_words(server: LiveServer) -> tuple[str, ...]:
    """Return what names the autoscaler in another command, as words of a shell."""
    return "--autoscaler", shlex.quote(server.url)


def _not_understood(server: LiveServer, error: Exception) -> AnswerError:
    return AnswerError(
        f"{server.url}: the answer cannot be read by tfa {tool_version()}: {error}; is it an "
        "autoscaler of the same version?"
    )
