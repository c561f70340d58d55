"""``GET /api/connection``: where a client asks which worker serves it.

A client knows its own name and namespace and has no rights on the API server.  The answer is what
the cache shows of that very connection; nothing is listed, so that nobody learns of another's by
accident.
"""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from autoscaler.api.object_names import name_problem
from autoscaler.kube.resource import CONNECTIONS, PODS
from autoscaler.kube.store import Object
from autoscaler.workloads.cluster import Cluster
from autoscaler.workloads.connections.connection_status import RUNNING
from autoscaler.workloads.connections.connections import is_of

PATH = "/api/connection"
RETRY_AFTER_S = 1
"""What a client that has no worker yet is asked to wait."""
_JSON = "application/json"


def add_routes(application: web.Application, cluster: Cluster) -> None:
    """Let an application answer clients, out of the caches of a controller.

    200: the address as text, or ``{"connectionURL", "workerName"}`` where JSON is accepted; 400: a
    parameter is missing or no name; 404: there is no such connection; 503 with ``Retry-After``: no
    worker serves it yet.
    """

    async def answer(request: web.Request) -> web.Response:
        return _answer(request, cluster)

    application.router.add_get(PATH, answer)


def _answer(request: web.Request, cluster: Cluster) -> web.Response:
    values = {key: request.query.getall(key, []) for key in ("name", "namespace")}
    problems = [problem for key, given in values.items() if (problem := _problem(key, given))]
    if problems:
        return _refused(HTTPStatus.BAD_REQUEST, "; ".join(problems))
    namespace, name = values["namespace"][0], values["name"][0]
    connection = cluster.store(CONNECTIONS).get(namespace, name)
    client = cluster.store(PODS).get(namespace, name)
    if connection is None:
        text = f"namespace {namespace} has no connection {name}; it has the name of its client pod"
        return _refused(HTTPStatus.NOT_FOUND, text)
    status = connection.get("status") or {}
    if client is None or not is_of(connection, client) or status.get("phase") != RUNNING:
        return _waiting(connection)
    url = str(status["connectionURL"])
    if _JSON in request.headers.get("Accept", ""):
        return web.json_response({"connectionURL": url, "workerName": status.get("workerName")})
    return web.Response(text=url)


def _problem(key: str, given: list[str]) -> str:
    if len(given) != 1:
        return f"query parameter {key}: given {len(given)} times; allowed: once"
    return str(name_problem(given[0], f"query parameter {key}") or "")


def _waiting(connection: Object) -> web.Response:
    conditions = (connection.get("status") or {}).get("conditions") or ()
    message = next((each.get("message") for each in conditions), None)
    response = _refused(
        HTTPStatus.SERVICE_UNAVAILABLE, message or "no worker serves this client yet"
    )
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _refused(status: HTTPStatus, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")
