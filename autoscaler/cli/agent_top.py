"""What ``tfa agent top`` does: asks the agent of a node again and again, and shows the answers."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from autoscaler.cli.agent import TopFormat
from autoscaler.cli.agent_view import Document, render_text
from autoscaler.cli.output import print_result
from autoscaler.errors import InputError, UsageError
from autoscaler.printable import printable
from recommender.durations import parse_duration_s

PATH = "/api/node"
SCHEMA = "tensorfusion-agent/v1"
TIMEOUT_S = 5.0
LARGEST_BYTES = 16 * 2**20
SHORTEST_INTERVAL_S = 0.2
LARGEST_PORT = 65535
HINT = "is an agent there? --address HOST:PORT names another one"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopFlags:
    """The arguments of the command."""

    address: str
    interval: str
    is_once: bool
    output: TopFormat

    @property
    def interval_s(self) -> float:
        """Return the pause between two looks.  Raises ``UsageError``, ``InvalidValueError``."""
        interval_s = parse_duration_s(self.interval, "--interval")
        if interval_s < SHORTEST_INTERVAL_S:
            raise UsageError(
                f"--interval: {self.interval} is not valid; allowed: {SHORTEST_INTERVAL_S:g}s and "
                "longer"
            )
        return interval_s


def run_top(flags: TopFlags) -> None:
    """Show the node, once or until interrupted.  Raises ``UsageError`` and ``InputError``."""
    interval_s = flags.interval_s
    if flags.output is TopFormat.JSON:
        print_result(json.dumps(document_of(flags.address), indent=2, ensure_ascii=False) + "\n")
    elif flags.is_once:
        before = document_of(flags.address)
        time.sleep(interval_s)
        print_result(render_text(document_of(flags.address), before))
    else:
        _show_live(flags.address, interval_s)


def _show_live(address: str, interval_s: float) -> None:
    from rich.live import Live
    from rich.text import Text

    texts = views(lambda: document_of(address), lambda: time.sleep(interval_s))
    # The first look comes before the screen is taken, so that its error stays to be read.
    first = next(texts)
    # Tables that are wider than the terminal are cut: wrapped ones cannot be read.
    show = partial(Text, no_wrap=True, overflow="ellipsis")
    with Live(show(first), auto_refresh=False, screen=True) as live:
        for text in texts:
            live.update(show(text), refresh=True)


def views(ask: Callable[[], Document], pause: Callable[[], None]) -> Iterator[str]:
    """Yield what to show, again after each pause; an agent that is being replaced is waited for.

    Raises what the first ``ask`` raises.
    """
    before, now = None, ask()
    while True:
        yield render_text(now, before)
        pause()
        while True:
            try:
                before, now = now, ask()
            except InputError as error:
                yield printable(str(error), " ")
                pause()
            else:
                break


def document_of(address: str) -> Document:
    """Return what an agent says of its node.

    Raises ``UsageError`` for a wrong address, and ``InputError`` where no agent answers.
    """
    host, port = _place(address)
    try:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        with closing(connection):
            connection.request("GET", PATH)
            answer = connection.getresponse()
            body = answer.read(LARGEST_BYTES)
    except (http.client.InvalidURL, UnicodeError) as error:
        raise UsageError(f"--address: {address!r} is not valid; allowed: HOST:PORT") from error
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(f"{address}: {why}; {HINT}") from error
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{address}: answers with HTTP {answer.status}, not as an agent; {HINT}")
    return document


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    is_number = port.isascii() and port.isdigit()
    if not host or not is_number or not 1 <= int(port) <= LARGEST_PORT:
        raise UsageError(f"--address: {address!r} is not valid; allowed: HOST:PORT")
    return host, int(port)
