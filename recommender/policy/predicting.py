"""The ``prediction`` of a block, from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from recommender.forecast.models import ModelName
from recommender.policy.model import Prediction

if TYPE_CHECKING:
    from recommender.policy.taking import Taking


def prediction_of(taking: Taking, block: str, at: str) -> Prediction:
    """Return what ``block`` asks a forecast for; it lands at the policy's ``at``."""

    def take(name: str, attribute: str) -> object:
        return taking.take(f"{block}.prediction.{name}", f"{at}.prediction.{attribute}")

    return Prediction(
        enabled=bool(take("enable", "enabled")),
        model=ModelName(str(take("model", "model"))),
        history_s=cast("int", take("historyDataPeriod", "history_s")),
        period_s=cast("int", take("predictionPeriod", "period_s")),
    )
