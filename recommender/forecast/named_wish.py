"""A series whose policy asks for a model that is fitted for it alone."""

from __future__ import annotations

from dataclasses import dataclass

from recommender.forecast.asked import StreamKey
from recommender.forecast.models import ModelName
from recommender.observation import Floats


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
