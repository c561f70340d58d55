"""The log of the long-running commands: text or JSON lines on stderr.

Modules log through ``logging.getLogger(__name__)``; only a command calls ``configure``, once.
Bodies of requests and answers are never logged, because Secrets pass through them; the libraries
that would do so are held at warnings.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum

import orjson

from autoscaler.printable import printable

CHATTY_LIBRARIES = ("kubernetes", "urllib3", "asyncio", "aiohttp")
"""At ``DEBUG`` the first two log whole answers."""


class LogFormat(StrEnum):
    """How a line of the log is written."""

    TEXT = "text"
    """For people: time, level, where, what."""
    JSON = "json"
    """For collectors of logs: one object a line."""


def configure(log_format: LogFormat, *, level: int = logging.INFO) -> None:
    """Let the whole process log on stderr; what was configured before is replaced."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format is LogFormat.JSON else _TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in CHATTY_LIBRARIES:
        logging.getLogger(library).setLevel(max(level, logging.WARNING))


class _TextFormatter(logging.Formatter):
    """One line an event; a traceback has its own lines below."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_time(record)} {record.levelname} {record.name} {record.getMessage()}"
        lines = [printable(head, " ")]
        if record.exc_info:
            lines += map(printable, self.formatException(record.exc_info).splitlines())
        return "\n".join(lines)


class _JsonFormatter(logging.Formatter):
    """One object a line, whatever it quotes."""

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        # Names of files may hold what is no UTF-8.
        texts = {key: text.encode(errors="replace").decode() for key, text in event.items()}
        return orjson.dumps(texts).decode()


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
