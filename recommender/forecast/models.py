"""The names that ``prediction.model`` may have, and what each of them is.

Nothing heavy is imported here: the policy checks names without loading a single model.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from recommender.errors import InvalidValueError

MOST_NAMED_IN_THE_LOOP = 20
"""Workloads of the live loop that may have a model which is fitted for them alone."""


class ModelName(StrEnum):
    """What ``prediction.model`` may be."""

    AUTO = "auto"
    HISTOGRAM = "histogram"
    SEASONAL = "seasonal"
    HOLT_WINTERS = "holt-winters"
    ETS = "ets"
    SARIMAX = "sarimax"
    RIDGE = "ridge"
    GBM = "gbm"


class Runs(StrEnum):
    """How a model is computed."""

    BATCHED = "batched"
    """For all workloads at once: in every decision, at any number of workloads."""
    NAMED = "named"
    """Fitted for one series at a time, in a process of its own: only where it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model of the catalogue."""

    name: ModelName
    runs: Runs
    """Where the live loop runs it."""
    meaning: str
    """One sentence for users."""
    is_fitted_by_name: bool = False
    """``named.fit.fit_forecast`` knows it."""


_CATALOGUE = (
    Model(
        name=ModelName.AUTO,
        runs=Runs.BATCHED,
        meaning="All batched models but seasonal, each with the weight that its score on the "
        "workload's own past gives it.",
    ),
    Model(
        name=ModelName.HISTOGRAM,
        runs=Runs.BATCHED,
        meaning="A percentile of the decaying histogram of use, without a forecast.",
    ),
    Model(
        name=ModelName.SEASONAL,
        runs=Runs.BATCHED,
        meaning="Use at the same time of earlier days.",
    ),
    Model(
        name=ModelName.HOLT_WINTERS,
        runs=Runs.BATCHED,
        is_fitted_by_name=True,
        meaning="Exponential smoothing with a damped trend and a daily season; fixed constants in "
        "the live loop, fitted ones in reports.",
    ),
    Model(
        name=ModelName.ETS,
        runs=Runs.NAMED,
        is_fitted_by_name=True,
        meaning="Exponential smoothing as a state space model, with or without a damped trend and "
        "a daily season, as the corrected Akaike criterion (AICc) chooses.",
    ),
    Model(
        name=ModelName.SARIMAX,
        runs=Runs.NAMED,
        is_fitted_by_name=True,
        meaning="Regression on harmonics of the day with seasonal ARMA errors.",
    ),
    Model(
        name=ModelName.RIDGE,
        runs=Runs.BATCHED,
        meaning="Ridge regression on recent use, harmonics of the day and use of earlier days.",
    ),
    Model(
        name=ModelName.GBM,
        runs=Runs.BATCHED,
        meaning="Gradient boosting on quantiles, trained on the history of the whole fleet.",
    ),
)
MODELS = MappingProxyType({model.name: model for model in _CATALOGUE})
FITTED_BY_NAME = tuple(model.name for model in _CATALOGUE if model.is_fitted_by_name)


def model_named(name: str) -> Model:
    """Return a model of the catalogue; an empty name is ``auto``.

    Raises ``InvalidValueError`` that lists the known names.
    """
    word = name.strip().lower() or ModelName.AUTO
    if word not in MODELS:
        raise InvalidValueError("model", name, ", ".join(MODELS))
    return MODELS[ModelName(word)]
