"""Training of the fleet's models on a history that is gone through at once, as a report does.

A model gains by several times as much to learn from, and little by one day more of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recommender.forecast.daily_training import train_table
from recommender.forecast.fleet_model import LEAST_ROWS

if TYPE_CHECKING:
    from recommender.forecast.asked import StreamKey
    from recommender.forecast.daily_training import Trainable

GROWTH = 4


@dataclass(slots=True)
class HistoryTraining:
    """Trains each stream once there is enough, and again with ``GROWTH`` times as much."""

    _rows: dict[StreamKey, int] = field(default_factory=dict)
    """That there were when each stream was trained last."""

    def step(self, forecasts: Trainable) -> None:
        """Train what has grown enough, and return when it has its models."""
        for key, rows in forecasts.training_rows().items():
            if rows < max(LEAST_ROWS, GROWTH * self._rows.get(key, 0)):
                continue
            self._rows[key] = rows
            model = train_table(forecasts.training_tables([key])[key])
            if model is not None:
                forecasts.install(key, model)
