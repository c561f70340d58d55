"""Which block sizes a dimension, where both generations of settings can.

``autoSetResources`` sets requests and limits together; ``autoSetRequests`` and ``autoSetLimits``
set one each.  Both for one resource contradict each other.  Where one configuration enables both,
neither acts; where they come from different layers, the layer of higher precedence wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recommender.policy.model import Dimension

if TYPE_CHECKING:
    from recommender.policy.taking import Taking

REQUESTS = "autoSetRequests"
LIMITS = "autoSetLimits"
RESOURCES = "autoSetResources"


@dataclass(frozen=True, slots=True, kw_only=True)
class Governing:
    """What decides about one dimension."""

    is_current: bool
    """``autoSetResources`` gives the values, else the blocks of the first generation."""
    acts_on_requests: bool = False
    acts_on_limits: bool = False


def governing(taking: Taking, dimension: Dimension) -> Governing:
    """Choose the block that governs ``dimension``; contradictions become problems."""
    is_current = acts(taking, RESOURCES, dimension)
    first = [block for block in (REQUESTS, LIMITS) if acts(taking, block, dimension)]
    if is_current and first:
        return _between(taking, dimension, first)
    if is_current:
        return Governing(is_current=True, acts_on_requests=True, acts_on_limits=True)
    if first or not _is_only_block(taking, dimension):
        return _first(first)
    return Governing(is_current=True)


def _first(acting: list[str]) -> Governing:
    return Governing(
        is_current=False, acts_on_requests=REQUESTS in acting, acts_on_limits=LIMITS in acting
    )


def acts(taking: Taking, block: str, dimension: Dimension) -> bool:
    """Return whether a block is enabled for a dimension, whatever the other generation says."""
    target = taking.settings.value(f"{block}.targetResource")
    return bool(taking.settings.value(f"{block}.enable")) and target in {dimension.value, "all"}


def _is_only_block(taking: Taking, dimension: Dimension) -> bool:
    """Return whether only ``autoSetResources`` is written, though it does not act."""
    target = taking.settings.value(f"{RESOURCES}.targetResource")
    has_first = taking.settings.has(REQUESTS) or taking.settings.has(LIMITS)
    covers = target in {None, dimension.value, "all"}
    return taking.settings.has(RESOURCES) and covers and not has_first


def _between(taking: Taking, dimension: Dimension, first: list[str]) -> Governing:
    current_rank = taking.rank(f"{RESOURCES}.enable")
    ranks = {block: taking.rank(f"{block}.enable") for block in first}
    what = "VRAM" if dimension is Dimension.VRAM else "compute"
    current = taking.where(f"{RESOURCES}.enable")
    others = taking.where(*(f"{block}.enable" for block in first))
    same = [block for block, rank in ranks.items() if rank == current_rank]
    if same:
        names = " and ".join(same)
        taking.problem(
            current,
            f"{RESOURCES} and {names} both set {what} (the latter by {others}); enable one of the "
            f"two, or give them different target resources. Until then none of them acts on {what}",
        )
        return Governing(is_current=False)
    if current_rank > max(ranks.values()):
        taking.problem(others, f"has no effect on {what}, because {current} wins", is_warning=True)
        return Governing(is_current=True, acts_on_requests=True, acts_on_limits=True)
    acting = [block for block in first if ranks[block] > current_rank]
    winners = taking.where(*(f"{block}.enable" for block in acting))
    taking.problem(current, f"has no effect on {what}, because {winners} wins", is_warning=True)
    return _first(acting)
