"""All errors that an error was made of; what they mean is said where they are caught.

``urllib3`` and ``requests`` wrap the errors of the layers below, in three ways, so that the kind of
the outermost one says little.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

ErrorKind = TypeVar("ErrorKind", bound=BaseException)
ErrorChain = tuple[BaseException, ...]


def chain_of(error: BaseException) -> ErrorChain:
    """Return an error and all that it was made of: causes, contexts, reasons and arguments."""
    return tuple(_made_of(error))


def first_of(chain: ErrorChain, *kinds: type[ErrorKind]) -> ErrorKind | None:
    """Return the outermost error of some kinds; None where there is none."""
    return next((error for error in chain if isinstance(error, kinds)), None)


def _made_of(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
