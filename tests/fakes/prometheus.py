"""Series in memory that answer the forms of PromQL that the autoscaler asks, also by HTTP.

Ranges are open on the left, as those of Prometheus from version 3 on.  What the fake does not know
is a 400 with the query in its text, as a server would answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import numpy as np

from autoscaler.errors import QueryRejectedError
from autoscaler.sources.prometheus.answer import Answer
from tests.fakes.serving import serving_http

WINDOW = re.compile(r"(?P<sel>.+)\[(?P<window>\d+)s\](?: offset (?P<offset>\d+)ms)?")
CALL = re.compile(r"(?P<name>\w+)(?: by \((?P<by>[^)]*)\))? ?\((?P<inner>.+)\)")
QUANTILE = re.compile(r"quantile\((?P<share>[\d.]+), (?P<inner>.+)\)")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"((?:[^"\\]|\\.)*)"')
OVER_TIME = {
    "last_over_time": lambda ts, value: value[-1],
    "avg_over_time": lambda ts, value: value.mean(),
    "max_over_time": lambda ts, value: value.max(),
    "count_over_time": lambda ts, value: len(value),
}
AGGREGATIONS = {"count": len, "max": max, "min": min, "sum": sum}

Vector = list[tuple[dict, float]]


@dataclass
class FakePrometheus:
    """A server's series, and how it misbehaves.  ``instant`` makes it a client of itself."""

    series: list[tuple[dict, np.ndarray, np.ndarray]] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    rejects: str = ""
    """Queries that hold this text are refused."""
    queries: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    def add(self, name: str, ts: Sequence[float], value: float | Sequence[float], **labels: str):
        """Add a series; one value stands for all stamps."""
        stamps = np.asarray(ts, np.float64)
        values = np.broadcast_to(np.asarray(value, np.float64), stamps.shape)
        self.series.append(({"__name__": name, **labels}, stamps, values))

    def add_worker(
        self,
        ts: Sequence[float],
        *,
        tflops: float,
        memory_bytes: float | Sequence[float],
        vram_bytes: float,
        **labels: str,
    ):
        """Add what the agent shows of a worker of 40 to 80 TFLOPS and a fixed amount of VRAM."""
        self.add("tf_worker_compute_tflops", ts, tflops, method="sm_time", **labels)
        for name, amount in (
            ("memory_bytes", memory_bytes),
            ("tflops_request", 40.0),
            ("tflops_limit", 80.0),
            ("vram_bytes_request", vram_bytes),
            ("vram_bytes_limit", vram_bytes),
        ):
            self.add(f"tf_worker_{name}", ts, amount, **labels)

    def instant(self, query: str, at_s: float) -> Answer:
        """Answer as ``PrometheusClient`` does."""
        result = self.evaluate(query, at_s)
        return Answer(
            labels=tuple(labels for labels, _, _ in result),
            length=np.array([len(ts) for _, ts, _ in result], np.int64),
            ts=np.concatenate([*(ts for _, ts, _ in result), np.empty(0)]),
            value=np.concatenate([*(value for _, _, value in result), np.empty(0)]),
            warnings=self.warnings,
        )

    def evaluate(self, query: str, at_s: float) -> list[tuple[dict, np.ndarray, np.ndarray]]:
        """Return (labels, stamps, values) per series of an instant query."""
        self.queries.append(query)
        if self.rejects and self.rejects in query:
            raise QueryRejectedError(f"refused: {query}")
        window = WINDOW.fullmatch(query)
        if window is not None and "(" not in query.partition("{")[0]:
            return list(self._window(window, at_s))
        return [
            (labels, np.array([at_s]), np.array([value])) for labels, value in self._of(query, at_s)
        ]

    def evaluate_range(self, query: str, start_s: float, end_s: float, step_s: float):
        """Return (labels, stamps, values) per series of a range query."""
        found: dict[tuple, tuple[dict, list, list]] = {}
        for at_s in np.arange(start_s, end_s + 1, step_s):
            for labels, _, value in self.evaluate(query, at_s):
                key = tuple(sorted(labels.items()))
                _, stamps, values = found.setdefault(key, (labels, [], []))
                stamps.append(at_s)
                values.append(value[0])
        return [(labels, np.array(ts), np.array(v)) for labels, ts, v in found.values()]

    def _of(self, query: str, at_s: float) -> Vector:
        quantile = QUANTILE.fullmatch(query)
        if quantile is not None:
            values = [value for _, value in self._of(quantile["inner"], at_s)]
            return [({}, float(np.quantile(values, float(quantile["share"]))))] if values else []
        call = CALL.fullmatch(query)
        if call is None:
            raise QueryRejectedError(f"not known: {query}")
        name, inner = call["name"], call["inner"]
        if name in AGGREGATIONS:
            return self._aggregated(name, (call["by"] or "").split(","), self._of(inner, at_s))
        window = WINDOW.fullmatch(inner)
        if window is None or name not in OVER_TIME:
            raise QueryRejectedError(f"not known: {query}")
        return [
            (
                {k: v for k, v in labels.items() if k != "__name__"},
                float(OVER_TIME[name](ts, value)),
            )
            for labels, ts, value in self._window(window, at_s)
        ]

    def _aggregated(self, name: str, by: Sequence[str], vector: Vector) -> Vector:
        groups: dict[tuple, list[float]] = {}
        for labels, value in vector:
            key = tuple((label, labels[label]) for label in by if label in labels)
            groups.setdefault(key, []).append(value)
        return [(dict(key), float(AGGREGATIONS[name](values))) for key, values in groups.items()]

    def _window(
        self, window: re.Match, at_s: float
    ) -> Iterator[tuple[dict, np.ndarray, np.ndarray]]:
        end_s = at_s - int(window["offset"] or 0) / 1000
        start_s = end_s - int(window["window"])
        for labels, ts, value in self.series:
            inside = (ts > start_s) & (ts <= end_s)
            if inside.any() and _matches(window["sel"], labels):
                yield labels, ts[inside], value[inside]


def _nameless(labels: Mapping[str, str]) -> dict[str, str]:
    return {label: value for label, value in labels.items() if label != "__name__"}


def _matches(selector: str, labels: Mapping[str, str]) -> bool:
    name, _, rest = selector.partition("{")
    if labels["__name__"] != name:
        return False
    for label, operator, text in MATCHER.findall(rest):
        wanted, there = json.loads(f'"{text}"'), labels.get(label, "")
        is_match = bool(re.fullmatch(wanted, there)) if operator == "=~" else there == wanted
        if is_match is (operator == "!="):
            return False
    return True


def served(fake: FakePrometheus) -> AbstractContextManager[str]:
    """Serve the fake on a free port of this machine; gives its URL."""
    return serving_http(_Handler, fake=fake)


class _Handler(BaseHTTPRequestHandler):
    fake: FakePrometheus

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        self.fake.headers.append(dict(self.headers))
        try:
            self._answer(form)
        except QueryRejectedError as error:
            refusal = {"status": "error", "errorType": "bad_data", "error": str(error)}
            self._send(400, refusal)

    def _answer(self, form: Mapping[str, str]) -> None:
        query = form["query"]
        if self.path.endswith("query_range"):
            span = (float(form[name]) for name in ("start", "end", "step"))
            result, kind = self.fake.evaluate_range(query, *span), "matrix"
        else:
            result = self.fake.evaluate(query, float(form["time"]))
            kind = "vector" if "(" in query else "matrix"
        data = {"resultType": kind, "result": [_written(kind, *series) for series in result]}
        document = {"status": "success", "data": data}
        if self.fake.warnings:
            document["warnings"] = list(self.fake.warnings)
        self._send(200, document)

    def _send(self, status: int, document: Mapping[str, object]) -> None:
        body = json.dumps(document, separators=(",", ":")).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _written(kind: str, labels: Mapping[str, str], ts: np.ndarray, value: np.ndarray) -> dict:
    pairs = [[float(at_s), repr(float(v))] for at_s, v in zip(ts, value, strict=True)]
    return {"metric": labels, **({"value": pairs[0]} if kind == "vector" else {"values": pairs})}
