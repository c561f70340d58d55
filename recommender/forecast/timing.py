"""When a forecast is made, and which blocks it is judged on."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.errors import ContractError
from recommender.usage.store import DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One forecast per block; its outcome is known ``lead`` blocks later."""

    block_s: int
    lead: int
    """Blocks from a forecast to the end of what it is judged on."""

    def __post_init__(self) -> None:
        if self.block_s < 1 or DAY_S % self.block_s:
            raise ContractError(f"block_s {self.block_s} does not divide a day")
        if self.lead < 1:
            raise ContractError(f"lead {self.lead}; allowed: 1 or more")

    @property
    def day(self) -> int:
        """Blocks of a day."""
        return DAY_S // self.block_s

    @property
    def hour(self) -> int:
        """Blocks of an hour; 1 where they are longer."""
        return max(1, self.day // 24)
