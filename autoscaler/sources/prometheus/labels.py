"""From the labels of a server to ours, each label set read once.

A fleet answers every query with the same thousands of label sets.  They are translated once and
kept in one tuple that grows; while nothing is new the tuple stays the same object, so that whoever
reads it next can tell by its identity that nothing changed.  Sets that were not seen for long are
dropped, so that workers that come and go cannot fill the memory.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from dataclasses import dataclass, field
from itertools import groupby, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from autoscaler.printable import printable
from autoscaler.sources.prometheus.label_texts import LabelTexts
from autoscaler.sources.prometheus.mapping import OUR_LABELS
from autoscaler.sources.prometheus.owners import owner_of as owner_by_name
from autoscaler.sources.prometheus.promql import Matcher, literal_regex

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence

    from autoscaler.sources.prometheus.label_texts import LabelSets
    from autoscaler.sources.prometheus.mapping import NameMapping
    from autoscaler.sources.prometheus.owners import OwnerOf, PodOwners
    from recommender.observation import Ints

ANSWERS_REMEMBERED = 16
"""How many answers back a label set counts as one that may come again."""
SPARE_SETS = 1024
"""So many sets are kept beyond twice the largest remembered answer before any is dropped."""
ORDERS_KEPT = 1024
_UNKNOWN = -1
_Key = TypeVar("_Key")
OF_A_POD = ("namespace", "workload", "worker")
_NO_WORKLOAD = re.compile(
    r"|unknown|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", flags=re.IGNORECASE
)
"""What stands in place of a workload's name where the writer does not know it: a pod's UID."""


class LabelTable:
    """The label sets of one metric.

    Labels that are not ours are left out, of a label that a scrape has renamed the renamed value
    (``exported_*``) counts, and a set may lack some.  What cannot be printed is replaced, for
    labels come into tables, pages and patches.
    """

    def __init__(self, mapping: NameMapping, owner_of: OwnerOf | None = None) -> None:
        self._mapping = mapping
        self._owner_of = owner_by_name({}) if owner_of is None else owner_of
        self._exporter_pods = re.compile(mapping.exporter_pods) if mapping.exporter_pods else None
        self._shapes: dict[frozenset[str], _Shape] = {}
        self._shape_of: dict[tuple[str, ...], _Shape] = {}
        self._row_of_text: dict[bytes, int] = {}
        self._sets: list[Mapping[str, str]] = []
        self._names_in: list[Mapping[str, str]] = []
        """Our label to the server's name for it, where the value was taken from a label."""
        self._layouts: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        self._table: tuple[Mapping[str, str], ...] = ()
        self._indexed: tuple[Mapping[str, str], ...] = ()
        """The table that ``_rows_by_workload`` is of."""
        self._rows_by_workload: dict[tuple[str | None, str | None], list[int]] = {}
        self._last_seen = np.empty(0, np.int64)
        self._answers = 0
        self._sizes: deque[int] = deque(maxlen=ANSWERS_REMEMBERED)

    @property
    def labels(self) -> tuple[Mapping[str, str], ...]:
        """Return all label sets by our names, as of the last ``rows``."""
        return self._table

    @property
    def known_texts(self) -> Container[bytes]:
        """Return the label sets that need not be read again, as the server writes them."""
        return self._row_of_text.keys()

    def rows(self, labels: LabelSets) -> tuple[tuple[Mapping[str, str], ...], Ints]:
        """Return all label sets by our names, and for each of ``labels`` its row among them.

        The sets are the same object as long as none is new and none was dropped.  A workload is
        looked up once, when its set is first seen; see ``take_owners``.
        """
        rows = np.array(self._rows(labels), np.int64)
        if len(self._sets) > len(self._table):
            self._table = tuple(self._sets)
            self._last_seen = np.append(
                self._last_seen, np.zeros(len(self._sets) - len(self._last_seen), np.int64)
            )
        self._answers += 1
        self._last_seen[rows] = self._answers
        self._sizes.append(int(np.count_nonzero(self._last_seen == self._answers)))
        most = max(self._sizes)
        if len(self._sets) > 2 * most + SPARE_SETS:
            rows = self._drop_oldest(most)[rows]
        return self._table, rows

    def take_owners(self, exact: PodOwners) -> None:
        """Correct the workloads that were read from the names of pods, where owners are known."""
        is_corrected = False
        for row, ours in enumerate(self._sets):
            if "workload" in self._names_in[row]:
                continue
            owner = exact.get((ours.get("namespace", ""), ours.get("worker", "")))
            if owner is not None and owner.name != ours.get("workload"):
                self._sets[row] = {**ours, "workload": sys.intern(owner.name)}
                is_corrected = True
        if is_corrected:
            self._table = tuple(self._sets)

    def matchers_of(self, namespace: str, workload: str) -> tuple[Matcher, ...]:
        """Return what selects the series of one workload, by the server's own label names.

        A workload that is known by its pods is selected by their names.  For one that was not seen
        the names are the mapping's first.
        """
        rows = self._rows_of(namespace, workload)
        # The newest series say how the scrape names its labels today.
        newest = max(rows, key=lambda row: (self._last_seen[row], row), default=None)
        names = self._first_names() if newest is None else self._names_in[newest]
        in_namespace = Matcher(names["namespace"], namespace)
        if "workload" in names:
            return in_namespace, Matcher(names["workload"], workload)
        pods = sorted({self._sets[row]["worker"] for row in rows})
        patterns = [literal_regex(pod) for pod in pods] or [f"{literal_regex(workload)}(-.*)?"]
        return in_namespace, Matcher(names["worker"], "|".join(patterns), "=~")

    def _rows_of(self, namespace: str, workload: str) -> list[int]:
        if self._indexed is not self._table:
            self._rows_by_workload = {}
            for row, ours in enumerate(self._table):
                key = ours.get("namespace"), ours.get("workload")
                self._rows_by_workload.setdefault(key, []).append(row)
            self._indexed = self._table
        return self._rows_by_workload.get((namespace, workload), [])

    def _first_names(self) -> dict[str, str]:
        return {label: names[0] for label, names in self._mapping.labels.items() if names}

    def _rows(self, labels: LabelSets) -> list[int]:
        """Return the row of each label set; what is new is added."""
        if isinstance(labels, LabelTexts):
            return self._rows_of_texts(labels.texts)
        return self._rows_of_sets(labels)

    def _rows_of_texts(self, texts: Sequence[bytes]) -> list[int]:
        rows = list(map(self._row_of_text.get, texts, repeat(_UNKNOWN)))
        new = [i for i, row in enumerate(rows) if row == _UNKNOWN]
        if new:
            read = self._rows_of_sets(LabelTexts([texts[i] for i in new]))
            for i, row in zip(new, read, strict=True):
                rows[i] = self._row_of_text[texts[i]] = row
        return rows

    def _rows_of_sets(self, labels: Iterable[Mapping[str, str]]) -> list[int]:
        """Return the row of each label set, which is read.

        The steps over all sets of an answer are loops in C: a server writes the labels of its
        series in one order, so that an answer is one run, or a few.
        """
        rows: list[int] = []
        for order, run in groupby(labels, tuple):
            shape = self._shape_of.get(order) or self._shape(order)
            alike = list(run)
            keys = list(map(shape.read, alike))
            found = list(map(shape.row_of.get, keys, repeat(_UNKNOWN)))
            if _UNKNOWN in found:
                found = [self._row(shape, *pair) for pair in zip(keys, alike, strict=True)]
            rows += found
        return rows

    def _shape(self, order: tuple[str, ...]) -> _Shape:
        """Return how label sets of these names are read; in which order they stand is nothing."""
        names = frozenset(order)
        shape = self._shapes.get(names)
        if shape is None:
            shape = self._shapes[names] = _shape_of(names, self._mapping)
        if len(self._shape_of) >= ORDERS_KEPT:
            self._shape_of.clear()
        self._shape_of[order] = shape
        return shape

    def _row(self, shape: _Shape, key: Hashable, series: Mapping[str, str]) -> int:
        known = shape.row_of.get(key)
        if known is not None:
            return known
        ours: dict[str, str] = {}
        names_in: dict[str, str] = {}
        for label, names in shape.names.items():
            for name in names:
                if series[name]:
                    # Thousands of sets hold the same few nodes, pools and models.
                    ours[label] = sys.intern(printable(series[name]))
                    names_in[label] = name
                    break
        if self._exporter_pods and self._exporter_pods.fullmatch(ours.get("worker", "")):
            for label in OF_A_POD:
                ours.pop(label, None)
        elif self._mapping.takes_workload_of_pod:
            self._take_workload(ours, names_in)
        row = shape.row_of[_interned(key)] = len(self._sets)
        self._sets.append(ours)
        self._names_in.append(self._layouts.setdefault(tuple(names_in.items()), names_in))
        return row

    def _take_workload(self, ours: dict[str, str], names_in: dict[str, str]) -> None:
        if not _NO_WORKLOAD.fullmatch(ours.get("workload", "")):
            return
        ours.pop("workload", None)
        names_in.pop("workload", None)
        namespace, pod = ours.get("namespace"), ours.get("worker")
        owner = self._owner_of(namespace, pod) if namespace and pod else ""
        if owner:
            ours["workload"] = sys.intern(owner)

    def _drop_oldest(self, kept: int) -> Ints:
        """Keep the sets that were seen last.  Returns the new row of each old one, -1 for none."""
        order = np.argsort(-self._last_seen, kind="stable")[:kept]
        rows = np.sort(order)
        new_row = np.full(len(self._sets), -1, np.int64)
        new_row[rows] = np.arange(len(rows))
        self._sets = [self._sets[row] for row in rows.tolist()]
        self._names_in = [self._names_in[row] for row in rows.tolist()]
        self._last_seen = self._last_seen[rows]
        self._table = tuple(self._sets)
        self._row_of_text = _moved(self._row_of_text, new_row)
        for shape in self._shapes.values():
            shape.row_of = _moved(shape.row_of, new_row)
        self._shapes = {names: shape for names, shape in self._shapes.items() if shape.row_of}
        self._shape_of.clear()
        self._layouts.clear()
        return new_row


@dataclass(slots=True)
class _Shape:
    """How label sets with the same names are read."""

    names: Mapping[str, tuple[str, ...]]
    """Our label to the names that these sets have for it, first wins."""
    read: Callable[[Mapping[str, str]], Hashable]
    """Returns the values that tell one set from another."""
    row_of: dict[Hashable, int] = field(default_factory=dict)


def _shape_of(present: frozenset[str], mapping: NameMapping) -> _Shape:
    names = {
        label: found
        for label in OUR_LABELS
        if (found := tuple(name for name in mapping.names_of(label) if name in present))
    }
    used = dict.fromkeys(name for found in names.values() for name in found)
    return _Shape(names=names, read=itemgetter(*used) if used else _nothing)


def _moved(row_of: Mapping[_Key, int], new_row: Ints) -> dict[_Key, int]:
    """Return the rows that are kept, where they stand from now on."""
    return {key: row for key, old in row_of.items() if (row := int(new_row[old])) >= 0}


def _interned(key: Hashable) -> Hashable:
    """Return a key that shares its texts with all other label sets, of other metrics too."""
    return tuple(map(sys.intern, key)) if isinstance(key, tuple) else key


def _nothing(_series: Mapping[str, str]) -> Hashable:
    return ()
