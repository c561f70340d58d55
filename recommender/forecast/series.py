"""Parts whose arrays have one column per series, the last axis: more series, fewer, others.

What is common to all series (how many blocks went by) stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Ints

SERIES_AT_ONCE = 1024
"""What is made of so many on the way stays in a cache, and is little memory."""


def some_of(series: int) -> Iterator[slice]:
    """Yield neighbours of so many series, which are gone through together."""
    for begin in range(0, series, SERIES_AT_ONCE):
        yield slice(begin, min(begin + SERIES_AT_ONCE, series))


def append(part: Any, fresh: Any) -> None:
    """Put the series of ``fresh``, a part of the same kind, behind those of ``part``."""
    assert type(part) is type(fresh)
    for name, column in _columns(part):
        setattr(part, name, np.concatenate([column, getattr(fresh, name)], axis=-1))


def keep(part: Any, series: Ints) -> None:
    """Leave only some series of ``part``, in the order of ``series``."""
    for name, column in _columns(part):
        setattr(part, name, np.ascontiguousarray(column[..., series]))


def put(part: Any, at: Ints, other: Any, series: Ints) -> None:
    """Replace the series ``at`` of ``part`` by some ``series`` of another one of the same kind."""
    assert type(part) is type(other)
    for name, column in _columns(part):
        column[..., at] = getattr(other, name)[..., series]


def _columns(part: Any) -> list[tuple[str, NDArray[Any]]]:
    assert is_dataclass(part)
    named = [(item.name, getattr(part, item.name)) for item in fields(part)]
    return [(name, column) for name, column in named if isinstance(column, np.ndarray)]
