"""Training of the fleet's models: when one is due, and how it is done.

Where that happens is up to whoever drives the forecasts: beside a loop, which must not wait for it,
or at once in time that is simulated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from recommender.forecast.fleet_model import LEAST_ROWS, train
from recommender.usage.store import DAY_S

if TYPE_CHECKING:
    from recommender.forecast.asked import StreamKey
    from recommender.forecast.fleet_model import FleetModel
    from recommender.forecast.training_table import TrainingTable

EVERY_S = DAY_S
RETRY_S = 3600
"""After a training that failed."""


class Trainable(Protocol):
    """Forecasts whose models are trained; ``FleetForecasts`` is one."""

    def training_rows(self) -> Mapping[StreamKey, int]:
        """Return how many outcomes each stream's table has."""
        ...

    def training_tables(self, keys: Collection[StreamKey]) -> Mapping[StreamKey, TrainingTable]:
        """Return copies of the tables of some streams."""
        ...

    def install(self, key: StreamKey, model: FleetModel) -> None:
        """Let a stream forecast with a model from now on."""
        ...


@dataclass(slots=True)
class TrainingTimes:
    """When the model of each stream is to be trained: first once there is enough, then daily."""

    every_s: int = EVERY_S
    _next_s: dict[StreamKey, int] = field(default_factory=dict)

    def due(self, rows: Mapping[StreamKey, int], now_s: int) -> tuple[StreamKey, ...]:
        """Return the streams to be trained now, of all that there are, with so many rows.

        One that is gone is forgotten: if it comes back, it has no model.
        """
        self._next_s = {key: next_s for key, next_s in self._next_s.items() if key in rows}
        return tuple(
            key
            for key, number in rows.items()
            if number >= LEAST_ROWS and now_s >= self._next_s.get(key, now_s)
        )

    def trained(self, key: StreamKey, now_s: int) -> None:
        """Note that a stream was trained."""
        self._next_s[key] = now_s + self.every_s

    def failed(self, key: StreamKey, now_s: int) -> None:
        """Note that a stream could not be trained; it goes on with the model that it had."""
        self._next_s[key] = now_s + min(self.every_s, RETRY_S)


def train_due(forecasts: Trainable, times: TrainingTimes, now_s: int) -> None:
    """Train all streams that are due, and return when they have their models."""
    due = times.due(forecasts.training_rows(), now_s)
    for key in due:
        model = train_table(forecasts.training_tables([key])[key])
        if model is not None:
            forecasts.install(key, model)
        times.trained(key, now_s)


def train_table(table: TrainingTable) -> FleetModel | None:
    """Return a model of a table; None where too few of its rows have an outcome."""
    return train(table.features, table.outcome, table.lesson)


def load() -> None:
    """Load the library, which takes a second or more."""
    import sklearn.ensemble  # noqa: F401
