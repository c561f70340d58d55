"""The forecasts of one item, read from the fleet's arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recommender.decision import Layer
from recommender.forecast.absence import Absence, absence_sentence, instead_of
from recommender.forecast.asking import ahead_of
from recommender.forecast.forecaster import EXPERTS
from recommender.forecast.gate import Gate
from recommender.forecast.models import MODELS, ModelName, Runs
from recommender.policy.table import dimension_of
from recommender.report.diagnosing import NO_DIAGNOSES, Place, fitted_level
from recommender.report.forecast_blocks import (
    FittedModel,
    ItemForecast,
    ItemPattern,
    PatternStep,
)
from recommender.report.gate_sentences import NOT_MADE, gate_sentence
from recommender.report.rounding import computed_amount, rounded

if TYPE_CHECKING:
    from recommender.forecast.diagnosis import Diagnosis
    from recommender.forecast.promises import ForecastEvidence, LayerEvidence
    from recommender.policy.model import LimitRule, Policy, ReplicaRule, RequestRule
    from recommender.report.diagnosing import Diagnoses
    from recommender.resources import Resource

_LEAST_WEIGHT = 0.01
_WEIGHT_DIGITS = 3
REPLICAS_COLUMN = 0
"""Of the evidence of replicas, which has no other."""


class _Asked(NamedTuple):
    """What a layer's rule asks for, and what became of it."""

    layer: Layer
    rule: RequestRule | LimitRule | ReplicaRule
    evidence: LayerEvidence | None
    place: Place
    is_replayed: bool = False
    """There is a back-test beside it."""

    @property
    def name(self) -> str:
        """The layer, as reports name it."""
        return self.layer.name.lower()

    @property
    def risk(self) -> float | None:
        """The accepted share of minutes above; replicas have none."""
        return getattr(self.rule, "risk_target", None)

    @property
    def is_anything(self) -> bool:
        """Whether there is something to say."""
        return self.rule.prediction.enabled or self.risk is not None


def size_forecasts(
    policy: Policy,
    resource: Resource,
    evidence: ForecastEvidence | None,
    diagnoses: Diagnoses,
    place: Place,
    *,
    is_replayed: bool,
) -> tuple[ItemForecast, ...]:
    """Return what the layers of a sized resource ask for; empty where neither asks.

    ``is_replayed`` says that the report back-tests them.
    """
    dimension = dimension_of(resource)
    requests = None if evidence is None else evidence.requests
    limits = None if evidence is None else evidence.limits
    layers = (
        _Asked(Layer.REQUESTS, policy.requests[dimension], requests, place, is_replayed),
        _Asked(Layer.LIMITS, policy.limits[dimension], limits, place, is_replayed),
    )
    return tuple(_forecast(asked, diagnoses) for asked in layers if asked.is_anything)


def replica_forecasts(
    policy: Policy, evidence: ForecastEvidence | None, row: int
) -> tuple[ItemForecast, ...]:
    """Return what auto-replicas ask for; empty where they ask for nothing."""
    replicas = None if evidence is None else evidence.replicas
    asked = _Asked(Layer.REPLICAS, policy.replicas, replicas, (row, REPLICAS_COLUMN))
    return (_forecast(asked, NO_DIAGNOSES),) if asked.is_anything else ()


def item_pattern(diagnosis: Diagnosis | None, span_s: int) -> ItemPattern | None:
    """Return what was found of a series; None where nobody looked."""
    if diagnosis is None:
        return None
    regime, reason = diagnosis.regime, diagnosis.reason
    return ItemPattern(
        span_s=span_s,
        regime=None if regime is None else str(regime),
        figure=_known(diagnosis.figure),
        rests_on="" if regime is None else regime.rests_on,
        day_strength_ratio=_known(diagnosis.day_strength_ratio),
        week_strength_ratio=_known(diagnosis.week_strength_ratio),
        trend_per_day=_known(diagnosis.trend_per_day),
        steps=tuple(
            PatternStep(at_s=step.at_s, before=rounded(step.before), after=rounded(step.after))
            for step in diagnosis.steps
        ),
        reason=None if reason is None else str(reason),
        sentence="" if reason is None else reason.sentence,
    )


def _forecast(asked: _Asked, diagnoses: Diagnoses) -> ItemForecast:
    prediction, evidence = asked.rule.prediction, asked.evidence
    stated = ItemForecast(
        layer=asked.name,
        is_asked=prediction.enabled,
        model=str(prediction.model if prediction.enabled else ModelName.HISTOGRAM),
        period_s=ahead_of(asked.layer, prediction.period_s),
        sentence=NOT_MADE,
        fitted=_fitted(asked, diagnoses),
    )
    if evidence is None:
        return stated
    gate = Gate(int(evidence.gate[asked.place]))
    gain_ratio = None
    if prediction.enabled and gate is not Gate.HISTOGRAM:
        gain_ratio = rounded(1.0 - float(evidence.loss_ratio[asked.place]), 3)
    return replace(
        stated,
        gate=gate.name,
        sentence=" ".join(_sentences(asked, evidence, gate, gain_ratio)),
        promised_share=rounded(float(evidence.promised[asked.place])),
        realised_share=rounded(float(evidence.realised[asked.place])),
        judged_minutes=_minutes(float(evidence.minutes[asked.place])),
        gain_ratio=gain_ratio,
        weights=_weights(evidence, asked.place) if prediction.enabled else {},
    )


def _sentences(
    asked: _Asked, evidence: LayerEvidence, gate: Gate, gain_ratio: float | None
) -> Iterator[str]:
    """Yield which model counts if it is not the one that was asked for, and whether it does."""
    model, absence = asked.rule.prediction.model, Absence(int(evidence.absence[asked.place]))
    is_asked = asked.rule.prediction.enabled
    if is_asked and absence is not Absence.NONE:
        yield absence_sentence(model, absence)
    yield gate_sentence(gate, gain_ratio, has_promise=asked.risk is not None)
    is_fitted = MODELS[model].runs is Runs.NAMED and absence is Absence.NONE
    if is_asked and asked.is_replayed and is_fitted:
        yield f"The back-test here replays {instead_of(model)} in place of {model}."


def _weights(evidence: LayerEvidence, place: Place) -> Mapping[str, float]:
    shares = dict(zip(EXPERTS, evidence.shares[place].tolist(), strict=True))
    known = {name: share for name, share in shares.items() if share >= _LEAST_WEIGHT}
    ordered = sorted(known, key=lambda name: -known[name])
    return {name: round(known[name], _WEIGHT_DIGITS) for name in ordered}


def _minutes(minutes: float) -> float | None:
    return rounded(minutes) if minutes > 0 else None


def _fitted(asked: _Asked, diagnoses: Diagnoses) -> FittedModel | None:
    found = diagnoses.fits.get((*asked.place, asked.name))
    if found is None:
        return None
    prediction = asked.rule.prediction
    fitted = FittedModel(
        model=str(prediction.model),
        period_s=prediction.period_s,
        level=fitted_level(asked.rule),
    )
    if found.reason is not None:
        return replace(fitted, reason=str(found.reason), sentence=found.reason.sentence)
    return replace(
        fitted,
        mean=computed_amount(float(np.mean(found.mean))),
        highest=computed_amount(float(np.max(found.quantiles))),
    )


def _known(value: float | None) -> float | None:
    return None if value is None else rounded(value, 3)
