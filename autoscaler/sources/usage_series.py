"""Which series a row of a usage file belongs to.

A series is one worker of one workload.  Series are numbered in the order of their names, so that
the order of the rows makes no difference.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoscaler.errors import InputError
from autoscaler.sources.usage_files import NAMES, SERIES_ID

if TYPE_CHECKING:
    import pandas as pd

    from autoscaler.sources.usage_files import UsageTable

DEFAULT_NAMESPACE = "default"
PRINTABLE = "letters that can be printed, no control characters and no marks of direction"
Label = MappingProxyType[str, str]


def series_of_rows(table: UsageTable) -> tuple[tuple[Label, ...], NDArray[np.int32]]:
    """Return the labels of all series, ordered by name, and each row's index; -1: unnamed."""
    if table.has_series_id:
        ids, code = names_of(table, SERIES_ID)
        found = [named(series_id) for series_id in ids]
    else:
        found, code = _three_names(table)
    order = sorted({names for names in found if all(names)})
    index = {names: i for i, names in enumerate(order)}
    translation = np.array([*(index.get(names, -1) for names in found), -1], np.int32)
    labels = tuple(MappingProxyType(dict(zip(NAMES, names, strict=True))) for names in order)
    return labels, translation[code]


def codes(column: pd.Series) -> tuple[list[str], NDArray[np.int32]]:
    """Return the distinct texts of a column in order, and each row's index; -1: blank."""
    import pandas as pd

    code, names = pd.factorize(column)
    texts = ["" if pd.isna(name) else str(name).strip() for name in names]
    order = sorted({text for text in texts if text})
    index = {text: i for i, text in enumerate(order)}
    translation = np.array([*(index.get(text, -1) for text in texts), -1], np.int32)
    return order, translation[code]


def names_of(table: UsageTable, column: str) -> tuple[list[str], NDArray[np.int32]]:
    """Return the ``codes`` of a column of names.

    Raises ``InputError`` where a name cannot be shown.  It is not cleaned, because two names might
    become one.
    """
    names, code = codes(table.frame[column])
    unprintable = [i for i, name in enumerate(names) if not name.isprintable()]
    if unprintable:
        row = int(np.argmax(np.isin(code, unprintable)))
        raise InputError(
            f"{table.path}: {table.at(row)}: {column} {names[code[row]]!r} is not valid; "
            f"allowed: {PRINTABLE}"
        )
    return names, code


def named(series_id: str) -> tuple[str, ...]:
    """Split a series id into namespace, workload, worker; the first ``/`` ends the namespace."""
    namespace, slash, workload = series_id.partition("/")
    if not slash:
        return DEFAULT_NAMESPACE, series_id, series_id
    return namespace.strip(), workload.strip(), workload.strip()


def name_of(label: Label) -> str:
    """Return ``namespace/workload`` for messages."""
    return f"{label['namespace']}/{label['workload']}"


def _three_names(table: UsageTable) -> tuple[list[tuple[str, ...]], NDArray[np.int32]]:
    """Return the distinct (namespace, workload, worker), and each row's index; -1: one is blank."""
    parts = [names_of(table, name) for name in NAMES]
    shape = tuple(max(1, len(texts)) for texts, _ in parts)
    is_named = np.all([code >= 0 for _, code in parts], axis=0)
    flat = np.ravel_multi_index([np.maximum(code, 0) for _, code in parts], shape)
    distinct, inverse = np.unique(flat[is_named], return_inverse=True)
    code = np.full(len(table.frame), -1, np.int32)
    code[is_named] = inverse
    places = np.array(np.unravel_index(distinct, shape)).T
    found = [tuple(parts[i][0][place] for i, place in enumerate(index)) for index in places]
    return found, code
