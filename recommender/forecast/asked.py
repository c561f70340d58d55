"""What is asked of a stream of forecasts: which one, about which minutes, and by each series."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

from recommender.decision import Layer
from recommender.forecast.spending import EVENLY
from recommender.observation import Bools, Floats, Ints


class StreamKey(NamedTuple):
    """Which forecasts a stream makes."""

    layer: Layer
    resource: int
    ahead_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Which minutes a forecast is about, from the end of its block on, and how it may miss them."""

    delay_s: int
    ahead_s: int
    percentile: float
    """Of the minutes' use, which experts learn from; what is promised is about each minute."""
    most_factor: float = EVENLY
    """On the risk of a block, where its forecast is wide."""

    def lead(self, block_s: int) -> int:
        """Return in how many blocks the last of those minutes has closed."""
        return -(-(self.delay_s + self.ahead_s) // block_s)


@dataclass(slots=True, kw_only=True)
class Asked:
    """What the policies of the series ask for, ``[S]`` each."""

    level: Floats
    """Share of minutes that stay below, where no risk is stated."""
    risk: Floats
    """Share of minutes that may lie above; NaN: not stated."""
    predicts: Bools
    """A forecast may count; else the histogram does."""
    model: Ints
    """Index into ``MODEL_NAMES``."""
    allowed: Bools
    """[E, S] of ``EXPERTS``."""
    reach: Ints
    """Blocks of the past that count."""
    kept_ratio: Floats
    """By so much an amount may lie below the one in force without lowering it."""

    def of(self, series: Ints) -> Asked:
        """Return what some series ask for."""
        columns = {item.name: getattr(self, item.name)[..., series] for item in fields(Asked)}
        return Asked(**columns)
