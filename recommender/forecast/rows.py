"""Values of some rows, found by the number of the row."""

from __future__ import annotations

import numpy as np

from recommender.observation import Floats, Ints


def slots(rows: Ints, known: Ints) -> Ints:
    """Return where each of ``rows`` stands in ``known`` (ascending); -1: nowhere."""
    if len(known) == 0:
        return np.full(len(rows), -1, np.int64)
    slot = np.minimum(np.searchsorted(known, rows), len(known) - 1)
    return np.where(known[slot] == rows, slot, -1)


def of_rows(values: Floats, rows: Ints, wanted: Ints) -> Floats:
    """Return the value of each of ``wanted``, where ``values`` are those of ``rows``; NaN: none."""
    order = np.argsort(rows, kind="stable")
    slot = slots(wanted, rows[order])
    known = slot >= 0
    found = np.full(len(wanted), np.nan)
    found[known] = values[order[slot[known]]]
    return found
