"""What a worker gets of what was decided for it, where GPUs and quotas have room for less.

Pure: what is bounded by whom is the caller's to tell (``adjust_bounds``).  A worker is never
lowered because of a bound: it keeps what it has where it cannot have more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from autoscaler.api.condition_reasons import CapReason
from autoscaler.api.names import AMOUNT_KEYS
from autoscaler.workloads.books.gpu_amounts import GpuAmounts, on_card
from recommender.amounts import ResourceAmounts
from recommender.quantities import format_quantity, parse_quantity

TFLOPS, PERCENT, VRAM = "tflops", "compute-percent", "vram"
_MICRO_PER_MILLI = 1000
_MIB = 2**20


class Side(StrEnum):
    """End of the key of a statement."""

    LIMIT = "limit"
    REQUEST = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The most that a worker may have of each of its GPUs, and who says so."""

    side: Side
    is_vram: bool
    most: int
    """Bytes of VRAM, or TFLOPS in millionths."""
    reason: CapReason
    who: str
    """What lacks the rest, such as ``GPU gpu-1``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What a worker has of each of its GPUs, whether stated or not."""

    request: GpuAmounts = field(default_factory=GpuAmounts)
    limit: GpuAmounts = field(default_factory=GpuAmounts)

    def of(self, side: Side, *, is_vram: bool) -> int:
        """Return one of the four amounts, in bytes or in millionths of TFLOPS."""
        amounts = self.request if side is Side.REQUEST else self.limit
        return amounts.vram_bytes if is_vram else amounts.microtflops


@dataclass(frozen=True, slots=True)
class Capped:
    """One amount that a worker does not get whole."""

    reason: CapReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of the amounts of one worker."""

    changes: Mapping[str, str]
    """Key of a statement to its new quantity, those that change."""
    capped: tuple[Capped, ...]
    has_raise: bool
    has_decrease: bool


def plan(
    current: Mapping[str, str],
    wanted: Mapping[str, str],
    *,
    present: Amounts,
    capacity: GpuAmounts,
    bounds: Sequence[Bound] = (),
) -> Plan:
    """Return what a worker gets of what is wanted for it.

    ``current`` and ``wanted`` are quantities by key of a statement, all of them readable, and each
    wanted request is at most its limit.  ``capacity`` is that of its GPUs, by which percent are
    TFLOPS.  An equal quantity keeps its spelling; what is cut is cut to whole thousandths of
    TFLOPS, thousandths of a percent, and MiB.
    """
    granting = _Granting(current, wanted, present, capacity, bounds)
    for side in Side:
        for name in (TFLOPS, PERCENT, VRAM):
            granting.grant(name, side)
    return Plan(
        changes={key: granting.changes[key] for key in AMOUNT_KEYS if key in granting.changes},
        capped=tuple(granting.capped),
        has_raise=granting.has_raise,
        has_decrease=granting.has_decrease,
    )


def is_same(quantity: str | None, other: str) -> bool:
    """Return whether two quantities are the same amount; None is none."""
    return quantity is not None and parse_quantity(quantity) == parse_quantity(other)


class _Granting:
    """One plan while it is made; limits come first, as they bound the requests."""

    def __init__(
        self,
        current: Mapping[str, str],
        wanted: Mapping[str, str],
        present: Amounts,
        capacity: GpuAmounts,
        bounds: Sequence[Bound],
    ) -> None:
        self._current = current
        self._wanted = wanted
        self._present = present
        self._capacity = capacity
        self._bounds = list(bounds)
        self.changes: dict[str, str] = {}
        self.capped: list[Capped] = []
        self.has_raise = self.has_decrease = False

    def grant(self, name: str, side: Side) -> None:
        """Decide one amount."""
        key = f"{name}-{side}"
        wanted = self._wanted.get(key)
        if wanted is None or is_same(self._current.get(key), wanted):
            return
        is_vram = name == VRAM
        asked = self._amount(name, wanted)
        now = self._present.of(side, is_vram=is_vram)
        bound = min(self._bounds_of(side, is_vram=is_vram), key=_most, default=None)
        if bound is None or asked <= max(now, bound.most):
            self._change(key, wanted, asked, now)
            return
        cut = _cut(name, bound.most, self._capacity)
        granted = self._amount(name, cut)
        if granted > now:
            self._change(key, cut, granted, now)
        else:
            cut, granted = self._current.get(key, "none"), now
        lack = _shown(max(asked - granted, 0), is_vram=is_vram)
        message = f"{key}: {wanted} wanted, {cut} granted; {bound.who} lacks {lack}"
        self.capped.append(Capped(bound.reason, message))
        if side is Side.LIMIT:
            self._bound_request(key, granted, is_vram=is_vram)

    def _bound_request(self, limit_key: str, granted: int, *, is_vram: bool) -> None:
        self._bounds.append(
            Bound(
                side=Side.REQUEST,
                is_vram=is_vram,
                most=granted,
                reason=CapReason.ABOVE_LIMIT,
                who=limit_key,
            )
        )

    def _bounds_of(self, side: Side, *, is_vram: bool) -> Iterator[Bound]:
        return (each for each in self._bounds if (each.side, each.is_vram) == (side, is_vram))

    def _change(self, key: str, quantity: str, amount: int, now: int) -> None:
        self.changes[key] = quantity
        self.has_raise |= amount > now
        self.has_decrease |= amount < now

    def _amount(self, name: str, quantity: str) -> int:
        """Return what a quantity is on the GPUs, rounded up as the books count it."""
        value = parse_quantity(quantity)
        if name == VRAM:
            return GpuAmounts.of(ResourceAmounts(vram_bytes=value)).vram_bytes
        is_tflops = name == TFLOPS
        asked = ResourceAmounts(
            tflops=value if is_tflops else None, compute_percent=None if is_tflops else value
        )
        return on_card(asked, self._capacity).microtflops


def _most(bound: Bound) -> int:
    return bound.most


def _cut(name: str, most: int, capacity: GpuAmounts) -> str:
    """Return the largest quantity in whole steps that is not above ``most`` on a GPU."""
    most = max(most, 0)
    if name == VRAM:
        return format_quantity(Decimal(most // _MIB * _MIB), "binary")
    if name == TFLOPS:
        return format_quantity(Decimal(most // _MICRO_PER_MILLI).scaleb(-3))
    if capacity.microtflops <= 0:
        return "0"
    return format_quantity(Decimal(most * 100_000 // capacity.microtflops).scaleb(-3))


def _shown(amount: int, *, is_vram: bool) -> str:
    if is_vram:
        return GpuAmounts(vram_bytes=amount).as_mapping()["vram"]
    return f"{GpuAmounts(microtflops=amount).tflops.normalize():f} TFLOPS"
