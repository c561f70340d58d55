"""``riskTarget``: how many minutes may lie above an amount, in place of percentile and buffer.

It is of TFLOPS alone: a worker that lacks them waits, one that lacks VRAM fails.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from recommender.policy.generations import LIMITS, REQUESTS, governing
from recommender.policy.model import Dimension

if TYPE_CHECKING:
    from recommender.policy.taking import Taking

REPLACED_BY_RISK = MappingProxyType(
    {
        REQUESTS: (f"{REQUESTS}.percentileForAutoRequests", f"{REQUESTS}.extraBufferRatio"),
        LIMITS: (f"{LIMITS}.extraTFlopsBufferRatio",),
    }
)
"""Block to the settings whose place its ``riskTarget`` takes for TFLOPS."""
_LANDS = MappingProxyType(
    {
        REQUESTS: tuple(
            f"requests.{Dimension.COMPUTE}.{name}"
            for name in ("risk_target", "percentile", "buffer", "is_load_weighted")
        ),
        LIMITS: tuple(
            f"limits.{Dimension.COMPUTE}.{name}" for name in ("risk_target", "percentile", "buffer")
        ),
    }
)


def risk_target(taking: Taking, block: str, dimension: Dimension) -> float | None:
    """Return the risk that counts for a dimension, a share of the time; None: none does.

    It gives way to a layer of higher precedence that set what it would replace.
    """
    risk, replaced = f"{block}.riskTarget", REPLACED_BY_RISK[block]
    rank = taking.rank(risk)
    if dimension is Dimension.VRAM or rank < 0 or taking.rank(*replaced) > rank:
        return None
    if _states_vram(taking, block):
        _report_vram(taking, block)
    if is_of_vram_alone(taking, block):
        return None
    if taking.rank(*replaced) == rank:
        _report_replaced(taking, block)
    return cast("float", taking.take(risk, *_LANDS[block]))


def is_of_vram_alone(taking: Taking, block: str) -> bool:
    """Return whether a block sets VRAM and no TFLOPS, as stated or for want of an agreement."""
    return _states_vram(taking, block) or _acts_on(taking, block) == [Dimension.VRAM]


def _states_vram(taking: Taking, block: str) -> bool:
    return taking.settings.value(f"{block}.targetResource") == Dimension.VRAM


def _acts_on(taking: Taking, block: str) -> list[Dimension]:
    chosen = {dimension: governing(taking, dimension) for dimension in Dimension}
    return [
        dimension
        for dimension, by in chosen.items()
        if not by.is_current and (by.acts_on_requests if block == REQUESTS else by.acts_on_limits)
    ]


def _report_vram(taking: Taking, block: str) -> None:
    risk, target = f"{block}.riskTarget", f"{block}.targetResource"
    taking.problem(
        taking.where(risk),
        f"has no effect, because {taking.where(target)} is vram, and a risk is of TFLOPS only; "
        "allowed: no riskTarget, or compute or all as targetResource",
        is_warning=taking.rank(target) != taking.rank(risk),
    )


def _report_replaced(taking: Taking, block: str) -> None:
    is_of_vram_too = block == REQUESTS and taking.settings.value(f"{block}.targetResource") == "all"
    effect = "counts for VRAM only" if is_of_vram_too else "has no effect"
    taking.problem(
        taking.where(*REPLACED_BY_RISK[block]),
        f"{effect}, because {taking.where(f'{block}.riskTarget')} takes the place of percentile "
        "and buffer of TFLOPS",
        is_warning=True,
    )
