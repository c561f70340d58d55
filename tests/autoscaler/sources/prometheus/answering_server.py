"""A small server that speaks the Prometheus HTTP API over series that a test describes.

It evaluates the few forms of queries that a look at a server needs, by their text, and misbehaves
where a test says so.
"""

import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

from tests.fakes.serving import serving_http

COUNT_LAST = re.compile(r"count\(last_over_time\((?P<sel>.+)\[(?P<window>\d+)s\] offset 1ms\)\)")
COUNT = re.compile(r"count\((?P<sel>[^()]+)\)")
NEWEST = re.compile(r"max\(max_over_time\(timestamp\((?P<sel>.+)\)\[(?P<window>\d+)s:60s\]\)\)")
RAW = re.compile(r"(?P<sel>[^()]+)\[(?P<window>\d+)s\] offset 1ms")
MATCHER = re.compile(r'(\w+)(=|!=)"([^"]*)"')
LOOK_BACK_S = 300
RANGE_RULE = "count_over_time(vector(1)[1m:1m] @ 600)"


@dataclass(kw_only=True)
class Series:
    """Samples every ``step_s`` from ``first_s`` to ``last_s``."""

    labels: dict
    first_s: int
    last_s: int
    step_s: int = 15

    def stamps(self, start_s, end_s):
        first = self.first_s + -(-(max(start_s, self.first_s) - self.first_s) // self.step_s) * (
            self.step_s
        )
        return range(first, min(end_s, self.last_s + 1), self.step_s)


@dataclass
class Refusal:
    """What is answered to queries that hold ``part``."""

    part: str
    status: int
    body: bytes
    content_type: str = "application/json"


def refusal(part, status, kind, text):
    body = {"status": "error", "errorType": kind, "error": text}
    return Refusal(part, status, json.dumps(body).encode())


@dataclass
class World:
    """What the server knows, and how it behaves."""

    series: list = field(default_factory=list)
    build: dict | Refusal | None = field(
        default_factory=lambda: {"version": "3.5.0", "goVersion": "go1.25", "revision": "abc"}
    )
    range_count: int | None = 1
    behind_s: int = 0
    server_s: int | None = 0
    """What its Date header says; None: it has none."""
    warnings: list = field(default_factory=list)
    refusals: list = field(default_factory=list)
    queries: list = field(default_factory=list)

    def evaluate(self, query, at_s):
        """Return the type and result of an instant query."""
        if query == "time()":
            return "scalar", [at_s, str(at_s - self.behind_s)]
        if query == "vector(1)":
            return "vector", [_number(at_s, 1)]
        if query == RANGE_RULE:
            found = [] if self.range_count is None else [_number(at_s, self.range_count)]
            return "vector", found
        for form, method in (
            (COUNT_LAST, self._counted),
            (COUNT, self._counted),
            (NEWEST, self._newest),
            (RAW, self._raw),
        ):
            if match := form.fullmatch(query):
                window_s = int(match.groupdict().get("window", LOOK_BACK_S))
                return method(match["sel"], at_s - window_s, at_s)
        raise AssertionError(f"a query of a form that this server does not know: {query}")

    def _counted(self, selector, start_s, end_s):
        found = self._with_samples(selector, start_s, end_s)
        return "vector", [_number(end_s, len(found))] if found else []

    def _newest(self, selector, start_s, end_s):
        found = self._with_samples(selector, start_s, end_s)
        newest = [series.stamps(start_s, end_s)[-1] for series in found]
        return "vector", [_number(end_s, max(newest))] if newest else []

    def _raw(self, selector, start_s, end_s):
        return "matrix", [
            {"metric": series.labels, "values": [[s, "1"] for s in series.stamps(start_s, end_s)]}
            for series in self._with_samples(selector, start_s, end_s)
        ]

    def _with_samples(self, selector, start_s, end_s):
        name, _, matchers = selector.partition("{")
        wanted = [("__name__", "=", name), *MATCHER.findall(matchers)]
        return [
            series
            for series in self.series
            if all((series.labels.get(k, "") == v) is (op == "=") for k, op, v in wanted)
            and len(series.stamps(start_s, end_s))
        ]


def _number(at_s, value):
    return {"metric": {}, "value": [at_s, str(value)]}


def serving(world):
    """Serve a world on a free port of this machine; gives the URL."""
    return serving_http(_Handler, world=world)


class _Handler(BaseHTTPRequestHandler):
    world: World

    def do_GET(self):
        if self.world.build is None:
            self._send(404, b"404 page not found", "text/plain")
        elif isinstance(self.world.build, Refusal):
            self._send(
                self.world.build.status, self.world.build.body, self.world.build.content_type
            )
        else:
            self._answer({"status": "success", "data": self.world.build})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        query, at_s = form["query"], int(float(form["time"]))
        self.world.queries.append(query)
        for refused in self.world.refusals:
            if refused.part in query:
                self._send(refused.status, refused.body, refused.content_type)
                return
        kind, result = self.world.evaluate(query, at_s)
        answer = {"status": "success", "data": {"resultType": kind, "result": result}}
        self._answer(answer | ({"warnings": self.world.warnings} if self.world.warnings else {}))

    def _answer(self, document):
        self._send(200, json.dumps(document).encode(), "application/json")

    def _send(self, status, body, content_type):
        self.send_response_only(status)
        if self.world.server_s is not None:
            self.send_header("Date", self.date_time_string(self.world.server_s))
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
