"""State of many series in arrays, of which the last axis is the series.

So all parts of a forecaster take new series, and empty those that are used again, in one way.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Ints


class SeriesState:
    """Base of dataclasses whose arrays have the series as their last axis."""

    __slots__ = ()

    def grow(self, more: Self) -> None:
        """Append the series of ``more``, which know nothing yet."""
        for name, value in self.arrays().items():
            setattr(self, name, np.concatenate([value, getattr(more, name)], axis=-1))

    def clear(self, rows: Ints, empty: Self) -> None:
        """Make some series as those of ``empty``, one for each row."""
        for name, value in self.arrays().items():
            value[..., rows] = getattr(empty, name)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return all arrays by name."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
