"""A series whose policy asks for a model that is fitted for it alone, and what is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.forecast.asked import StreamKey
from recommender.forecast.models import ModelName
from recommender.forecast.pool import NamedFit
from recommender.observation import Floats
from recommender.usage.peaks import HOUR_S
from recommender.usage.store import DAY_S

FITTED_EVERY_S = HOUR_S
"""Models see steps of an hour: sooner there is nothing new for them."""
LEVELS = (0.5,)
"""That a fit is asked for; only its mean is used, for streams calibrate it themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedWish:
    """What such a model is fitted to."""

    key: StreamKey
    row: int
    """Of the usage model."""
    model: ModelName
    block: int
    """Number of the newest block."""
    block_s: int
    values: Floats
    """Use of each block, oldest first; NaN where nothing was measured."""

    @property
    def series(self) -> tuple[StreamKey, int]:
        """Which series it is of."""
        return self.key, self.row

    @property
    def fit(self) -> NamedFit:
        """What is fitted: it looks a day ahead, for it may have to last for some hours."""
        day = DAY_S // self.block_s
        return NamedFit(
            history=self.values,
            model=self.model,
            season_blocks=day,
            horizon_blocks=day,
            levels=LEVELS,
        )
