"""Checks of single settings under ``prometheus``.

Each reader takes a value and the place where it was found, and puts it among the arguments that
``prometheus_settings`` makes settings of.  A value that may hold a secret is never quoted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from autoscaler.errors import UsageError
from autoscaler.sources.prometheus.connection import connection_problem
from autoscaler.sources.prometheus.mapping_document import read_matchers
from autoscaler.sources.prometheus.mappings import mapping_of
from recommender.durations import format_duration, parse_duration_s
from recommender.errors import InvalidValueError
from recommender.quantities import parse_quantity

GROUP = "prometheus"
SMALLEST_ANSWER_BYTES, LARGEST_ANSWER_BYTES = 2**20, 2**34

Read = Callable[[Any, str, dict[str, Any]], None]
"""``Setting.read``: (value, place, arguments)."""

_LOOKS_SECRET = re.compile(
    r"authorization|cookie|passw|pwd|secret|token|credential|bearer|jwt|session|signature"
    r"|api[-_]?key|access[-_]?key|\bkey$|auth$",
    flags=re.IGNORECASE,
)


def looks_secret(name: str) -> bool:
    """Return whether a header or parameter of this name usually holds a secret."""
    return _LOOKS_SECRET.search(name) is not None


def _put(values: dict[str, Any], name: str, value: object) -> None:
    values.setdefault(GROUP, {})[name] = value


def read_url(name: str) -> Read:
    """Return a reader of an address, which may hold no user name, password or query."""

    def read(value: Any, where: str, values: dict[str, Any]) -> None:
        problem = connection_problem(value if isinstance(value, str) else "")
        if problem is not None:
            # The value itself may hold a password, and is not quoted.
            raise UsageError(f"{where}: {problem}")
        _put(values, name, value)

    return read


def read_names(value: Any, where: str, values: dict[str, Any]) -> None:
    """Read ``prometheus.mapping``."""
    _put(values, "mapping", mapping_of(value, where))


def read_selector(value: Any, where: str, values: dict[str, Any]) -> None:
    """Read ``prometheus.selector``."""
    _put(values, "matchers", read_matchers(value, where))


def read_answer_bytes(value: Any, where: str, values: dict[str, Any]) -> None:
    """Read ``prometheus.maxAnswer``, a quantity of bytes."""
    size = parse_quantity(value, where)
    if not SMALLEST_ANSWER_BYTES <= size <= LARGEST_ANSWER_BYTES:
        raise InvalidValueError(where, value, "a quantity of bytes from 1Mi to 16Gi")
    _put(values, "answer_bytes", int(size))


def read_duration(name: str, shortest_s: float, longest_s: float) -> Read:
    """Return a reader of a duration within bounds, both included."""

    def read(value: Any, where: str, values: dict[str, Any]) -> None:
        seconds = parse_duration_s(value, where)
        if not shortest_s <= seconds <= longest_s:
            allowed = f"{format_duration(shortest_s)} to {format_duration(longest_s)}"
            raise InvalidValueError(where, value, f"a duration from {allowed}")
        _put(values, name, seconds)

    return read


def read_boolean(name: str, *, is_inverted: bool = False) -> Read:
    """Return a reader of true or false; ``is_inverted``: the argument means the opposite."""

    def read(value: Any, where: str, values: dict[str, Any]) -> None:
        if not isinstance(value, bool):
            raise InvalidValueError(where, value, "true or false")
        _put(values, name, value is not is_inverted)

    return read


def read_file(name: str) -> Read:
    """Return a reader of the path of a file, which is not opened."""

    def read(value: Any, where: str, values: dict[str, Any]) -> None:
        _put(values, name, _path(value, where))

    return read


def _path(value: Any, where: str) -> Path:
    if not isinstance(value, str) or not value or "\0" in value or not _encodes(value, os.fsencode):
        raise InvalidValueError(where, value, "the path of a file")
    return Path(value)


def _encodes(text: str, encode: Callable[[str], bytes] = str.encode) -> bool:
    """Return whether a text has a form in bytes: YAML can write half of a surrogate pair."""
    try:
        encode(text)
    except UnicodeEncodeError:
        return False
    return True


def read_username(value: Any, where: str, values: dict[str, Any]) -> None:
    """Read ``prometheus.username``."""
    if not isinstance(value, str) or not value or ":" in value or not _encodes(value):
        raise InvalidValueError(where, value, "a user name without a colon")
    _put(values, "basic_user", value)


def read_texts(name: str, instead: str) -> Read:
    """Return a reader of names with texts; a name that looks secret says what to do ``instead``."""

    def read(value: Any, where: str, values: dict[str, Any]) -> None:
        if not isinstance(value, Mapping):
            raise InvalidValueError(where, value, "a mapping of name to text")
        texts, wrong = {}, []
        for key, text in value.items():
            if looks_secret(str(key)):
                wrong.append(f"{where}.{key}: a secret must not stand in this file; {instead}")
            elif (
                not isinstance(text, str | int)
                or isinstance(text, bool)
                or not _encodes(f"{key}{text}")
            ):
                wrong.append(str(InvalidValueError(f"{where}.{key}", text, "a text")))
            else:
                texts[str(key)] = str(text)
        if wrong:
            raise UsageError("\n".join(wrong))
        _put(values, name, MappingProxyType(texts))

    return read


def read_header_files(value: Any, where: str, values: dict[str, Any]) -> None:
    """Read ``prometheus.headerFiles``."""
    if not isinstance(value, Mapping):
        raise InvalidValueError(where, value, "a mapping of header name to the path of a file")
    files = {str(name): _path(path, f"{where}.{name}") for name, path in value.items()}
    _put(values, "header_files", MappingProxyType(files))
