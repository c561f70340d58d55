"""What bounds the amounts of a placed worker: its GPUs, and the quotas of its namespace.

To be asked within ``books.deciding()``, in which what is granted is held too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import ROUND_FLOOR

from autoscaler.api.ceilings import Ceiling
from autoscaler.api.condition_reasons import CapReason
from autoscaler.workloads.adjusting.adjust_plan import PERCENT, TFLOPS, VRAM, Amounts, Bound, Side
from autoscaler.workloads.books.books import Books
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.gpu_amounts import GpuAmounts, on_card
from autoscaler.workloads.books.quota_maxima import Maximum, Total
from autoscaler.workloads.books.quota_use import WORKERS, QuotaUse
from recommender.amounts import ResourceAmounts
from recommender.quantities import parse_quantity

_SIDES = {"requests": Side.REQUEST, "limits": Side.LIMIT}


def bounds_of(
    claim: Claim, books: Books, free: Callable[[str], GpuAmounts], totals: Sequence[Total]
) -> Iterator[Bound]:
    """Yield what bounds a worker that holds ``claim``, in which all in flight is counted.

    ``free`` tells what of a GPU is there for it.
    """
    held = Amounts(request=claim.request, limit=claim.limit)
    for name in claim.gpus:
        card = books.card(name)
        if card is None:
            yield from _both_sides(held.request, held.limit, CapReason.GPU_LOST, f"lost GPU {name}")
        else:
            yield from _of_card(card, free(name), held)
    use = books.quota_use(claim.namespace)
    for total in totals:
        for maximum in total.maxima:
            if maximum.field != WORKERS:
                yield _of_total(total, maximum, use, held, len(claim.gpus))


def ceiling_bounds(
    ceilings: Mapping[str, Ceiling], errors: Sequence[str], capacity: GpuAmounts
) -> Iterator[Bound]:
    """Yield what quotas allow one worker; one that cannot be read allows nothing more."""
    for error in errors[:1]:
        nothing, who = GpuAmounts(), f"a quota that cannot be read ({error})"
        yield from _both_sides(nothing, nothing, CapReason.QUOTA_EXCEEDED, who)
    for key, ceiling in ceilings.items():
        name, _, end = key.rpartition("-")
        amount = _amount_of(name, ceiling, capacity)
        yield Bound(
            side=Side(end),
            is_vram=name == VRAM,
            most=amount,
            reason=CapReason.QUOTA_EXCEEDED,
            who=ceiling.path,
        )


def _of_card(card: Card, free: GpuAmounts, held: Amounts) -> Iterator[Bound]:
    most = held.request + GpuAmounts().at_least(free)
    yield from _of_side(Side.REQUEST, most, CapReason.GPU_FULL, f"GPU {card.name}")
    who = f"the capacity of GPU {card.name}"
    yield from _both_sides(card.capacity, card.capacity, CapReason.ABOVE_GPU, who)


def _of_total(total: Total, maximum: Maximum, use: QuotaUse, held: Amounts, gpus: int) -> Bound:
    side, _, name = maximum.field.partition(".")
    is_vram = name == VRAM
    free = maximum.left(use.by_field()[maximum.field])
    return Bound(
        side=_SIDES[side],
        is_vram=is_vram,
        most=held.of(_SIDES[side], is_vram=is_vram) + free // gpus,
        reason=CapReason.QUOTA_EXCEEDED,
        who=f"GPUResourceQuota {total.quota} spec.total.{maximum.field}",
    )


def _both_sides(
    request: GpuAmounts, limit: GpuAmounts, reason: CapReason, who: str
) -> Iterator[Bound]:
    yield from _of_side(Side.REQUEST, request, reason, who)
    yield from _of_side(Side.LIMIT, limit, reason, who)


def _of_side(side: Side, most: GpuAmounts, reason: CapReason, who: str) -> Iterator[Bound]:
    yield Bound(side=side, is_vram=False, most=most.microtflops, reason=reason, who=who)
    yield Bound(side=side, is_vram=True, most=most.vram_bytes, reason=reason, who=who)


def _amount_of(name: str, ceiling: Ceiling, capacity: GpuAmounts) -> int:
    value = parse_quantity(ceiling.quantity)
    if name == VRAM:
        return int(value.to_integral_value(ROUND_FLOOR))
    asked = ResourceAmounts(
        tflops=value if name == TFLOPS else None, compute_percent=value if name == PERCENT else None
    )
    return on_card(asked, capacity).microtflops
