"""Which worker serves a client: that with the fewest clients, and then always the same.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Candidate(NamedTuple):
    """A worker pod of a client's workload."""

    name: str
    stays: bool
    """It neither ended nor is about to go, so that clients that it has keep it."""
    is_open: bool
    """It may take a client that it does not have."""
    clients: int
    """That it has, the one in question not among them."""


def choose_worker(
    candidates: Iterable[Candidate], present: str, *, most_clients: int | None
) -> str | None:
    """Return the name of the worker of a client; None where none may serve it.

    ``present`` is the one that it has, or empty.  A worker takes up to ``most_clients``; None: any
    number.
    """
    found = list(candidates)
    if any(each.name == present and each.stays for each in found):
        return present
    open_ones = [
        each
        for each in found
        if each.stays and each.is_open and (most_clients is None or each.clients < most_clients)
    ]
    best = min(open_ones, key=lambda each: (each.clients, each.name), default=None)
    return None if best is None else best.name
