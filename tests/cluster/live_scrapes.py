"""Between the agents and who scrapes them: metrics that lie low about the use of some workloads.

An agent itself does not lie.  What was refused or had to wait passes as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import urllib3

from autoscaler.telemetry.exposition import CONTENT_TYPE
from tests.cluster.live_demand import Key
from tests.components.worker_metrics import (
    COMPUTE_PERCENT,
    DEVICE_SECONDS,
    MEMORY_BYTES,
    MEMORY_PERCENT,
    TFLOPS,
)
from tests.fakes.serving import serving_http

USE = (TFLOPS, COMPUTE_PERCENT, MEMORY_BYTES, MEMORY_PERCENT, DEVICE_SECONDS)
_SAMPLE = re.compile(
    rf"^(?P<name>{'|'.join(each.name for each in USE)}){{(?P<labels>[^}}]*)}} (?P<value>\S+)",
    re.MULTILINE,
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Ratio = Callable[[Key], float]
Read = Callable[[], str]
"""Reads what an agent shows.  Raises ``urllib3.exceptions.HTTPError`` where it does not answer."""


def lowered(text: str, ratio: Ratio) -> str:
    """Return an exposition in which the use of each workload is multiplied by its ratio."""

    def replacement(match: re.Match[str]) -> str:
        labels = dict(_LABEL.findall(match["labels"]))
        part = ratio((labels["namespace"], labels["workload"]))
        shown = float(match["value"]) * part
        return match[0] if part == 1.0 else f"{match['name']}{{{match['labels']}}} {shown!r}"

    return _SAMPLE.sub(replacement, text)


class _Handler(BaseHTTPRequestHandler):
    read: Callable[[], str]
    ratio: Ratio

    def do_GET(self) -> None:
        try:
            body = lowered(self.read(), self.ratio).encode()
        except urllib3.exceptions.HTTPError:
            self.send_error(HTTPStatus.BAD_GATEWAY)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def scrapes(reads: Sequence[Read], ratio: Ratio) -> Iterator[list[str]]:
    """Serve what agents show on ports of their own within a block; yields the targets."""
    with ExitStack() as stack:
        # A function of a class would be called with the handler.
        urls = [
            stack.enter_context(serving_http(_Handler, read=partial(read), ratio=partial(ratio)))
            for read in reads
        ]
        yield [urlsplit(url).netloc for url in urls]
