"""What the agents of a large cluster would show together: one page of all workers, made ahead.

``python -m tests.benchmarks.live_exporter PORT FILE``; the file has a list of workers.  ``POST
/saturated`` with a list of workloads has their workers at their share from the next scrape on;
``GET /saturated`` tells when that scrape was answered, in UTC seconds, and 0 before.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.benchmarks.live_cells import Placed
from tests.benchmarks.live_usage import (
    METRICS,
    PEAK,
    SATURATED,
    USUAL,
    Level,
    labels_of,
    level_at,
    values_at,
)
from tests.components.openmetrics import head_text
from tests.components.processes import LOOPBACK


@dataclass(slots=True)
class _Shown:
    """What scrapes see, and since when; 0: none has yet."""

    texts: Mapping[Level, bytes]
    first_s: float = 0.0


class Page:
    """The text of a scrape."""

    def __init__(self, workers: Sequence[Placed]) -> None:
        self._workers = workers
        self._heads = [_heads(worker) for worker in workers]
        self.saturate(frozenset())

    def saturate(self, workloads: frozenset[str]) -> None:
        """Have the workers of these workloads, and no others, at their share."""
        self._shown = _Shown({level: self._text(level, workloads) for level in (USUAL, PEAK)})

    @property
    def shown_s(self) -> float:
        """When a scrape first saw who is saturated; 0: none has yet."""
        return self._shown.first_s

    def scraped(self) -> bytes:
        """Return the page of this moment."""
        now_s, shown = time.time(), self._shown
        shown.first_s = shown.first_s or now_s
        return shown.texts[level_at(now_s)]

    def _text(self, level: Level, saturated: frozenset[str]) -> bytes:
        tails = {each: _tails(each) for each in (level, SATURATED)}
        return b"".join(
            head + tail
            for worker, heads in zip(self._workers, self._heads, strict=True)
            for head, tail in zip(
                heads,
                tails[SATURATED if worker.workload in saturated else level],
                strict=True,
            )
        )


class Handler(BaseHTTPRequestHandler):
    """Answers scrapes, and whoever says who is saturated."""

    page: Page
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the page, or with when it was shown first."""
        if self.path == "/metrics":
            self._answer(self.page.scraped(), "text/plain; version=0.0.4")
        else:
            self._answer(str(self.page.shown_s).encode(), "text/plain")

    def do_POST(self) -> None:
        """Take a list of workloads."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.page.saturate(frozenset(json.loads(body)))
        self._answer(b"", "text/plain")

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _heads(worker: Placed) -> list[bytes]:
    labels = labels_of(worker)
    return [head_text(metric.name, {**labels, **metric.labels}) for metric in METRICS]


def _tails(level: Level) -> list[bytes]:
    return [f"{value:g}\n".encode() for value in values_at(level).values()]


def main() -> None:
    port, path = int(sys.argv[1]), Path(sys.argv[2])
    workers = [Placed(*row) for row in json.loads(path.read_text(encoding="utf-8"))]
    Handler.page = Page(workers)
    ThreadingHTTPServer((LOOPBACK, port), Handler).serve_forever()


if __name__ == "__main__":
    main()
