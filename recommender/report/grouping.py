"""Items put together: by workload, and by what the reader asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recommender.errors import InvalidValueError
from recommender.report.blocks import Severity
from recommender.report.wording import amount_of

if TYPE_CHECKING:
    from recommender.report.blocks import Identity, Money
    from recommender.report.model import Item

NO_VALUE = "(none)"
"""Title of the group of items that lack what the grouping asks for."""


@dataclass(frozen=True, slots=True)
class WorkloadGroup:
    """All items of one workload and GPU model, in the order of the report."""

    items: tuple[Item, ...]

    @property
    def identity(self) -> Identity:
        """Which workload."""
        return self.items[0].identity

    @property
    def name(self) -> str:
        """``namespace/workload``."""
        return self.items[0].name

    @property
    def worst(self) -> Item:
        """The item with the most urgent verdict, which stands for the workload.

        One that only lacks a statement stands behind all that have something to say.
        """
        return min(self.items, key=lambda item: (lacks_statement(item), item.severity.rank))

    @property
    def severity(self) -> Severity:
        """Severity of the item that stands for the workload."""
        return self.worst.severity

    @property
    def money(self) -> Money | None:
        """The workload's cost, which stands on one of its items."""
        return next((item.money for item in self.items if item.money is not None), None)


def lacks_statement(item: Item) -> bool:
    """Return whether nothing is recommended until the user states something."""
    return item.severity is Severity.UNSET and all(
        amount_of(item.recommended, side) is None for side in ("request", "limit")
    )


def by_workload(items: Iterable[Item]) -> list[WorkloadGroup]:
    """Return one group per workload and GPU model, in the order of their first items."""
    groups: dict[tuple[str, str, str], list[Item]] = {}
    for item in items:
        groups.setdefault(item.identity.key, []).append(item)
    return [WorkloadGroup(tuple(group)) for group in groups.values()]


def grouped(items: Iterable[Item], by: str | None) -> list[tuple[str, tuple[Item, ...]]]:
    """Return (title, items) per group, groups and items in the order in which they come.

    ``by`` is ``namespace``, ``pool`` or ``label:NAME``; None makes one group without a title.
    Raises ``InvalidValueError`` for anything else.
    """
    if by is None:
        whole = tuple(items)
        return [("", whole)] if whole else []
    title_of = _title_of(by)
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(title_of(item.identity) or NO_VALUE, []).append(item)
    return [(title, tuple(group)) for title, group in groups.items()]


def _title_of(by: str) -> Callable[[Identity], str | None]:
    if by == "namespace":
        return lambda identity: identity.namespace
    if by == "pool":
        return lambda identity: identity.pool
    kind, _, label = by.partition(":")
    if kind == "label" and label:
        return lambda identity: identity.labels.get(label)
    raise InvalidValueError("--group-by", by, "namespace, pool, label:NAME")
