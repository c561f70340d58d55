"""Policies that ask for forecasts, and what became of these, of one workload."""

from dataclasses import replace

import numpy as np

from recommender.forecast.absence import Absence
from recommender.forecast.forecaster import EXPERTS
from recommender.forecast.gate import Gate
from recommender.forecast.models import ModelName
from recommender.forecast.promises import ForecastEvidence, LayerEvidence
from recommender.policy.model import Dimension, Policy, Prediction
from tests.recommender.report.builders import NAN, RESOURCES, policy

SIZED_COLUMNS = len(RESOURCES)


def asks(model="auto", *, period_s=600) -> Prediction:
    """Return a forecast that is asked for."""
    return Prediction(enabled=True, model=ModelName(model), period_s=period_s)


def asking(*, requests=None, limits=None, replicas=None, risk=None, dimension=Dimension.COMPUTE):
    """Return a policy whose layers ask for forecasts of one dimension; ``risk`` is of limits."""
    base = policy()
    request, limit = base.requests[dimension], base.limits[dimension]
    return Policy(
        requests={
            **base.requests,
            dimension: replace(request, prediction=requests or request.prediction),
        },
        limits={
            **base.limits,
            dimension: replace(limit, prediction=limits or limit.prediction, risk_target=risk),
        },
        replicas=replace(base.replicas, prediction=replicas or base.replicas.prediction),
        sources={"limits.compute.prediction.model": "profile team/small"},
    )


def became(*, limits=None, requests=None, replicas=None) -> ForecastEvidence:
    """Return the evidence of one workload; a layer of which nothing is said was not asked."""
    return ForecastEvidence(
        limits=limits or layer(Gate.NOT_ASKED),
        requests=requests or layer(Gate.NOT_ASKED),
        replicas=replicas or layer(Gate.NOT_ASKED, columns=1),
    )


def layer(
    gate,
    *,
    promised=NAN,
    realised=NAN,
    minutes=0.0,
    loss_ratio=NAN,
    absence=Absence.NONE,
    columns=SIZED_COLUMNS,
    **shares,
) -> LayerEvidence:
    """Return one layer of one workload; ``shares`` are by expert, ``_`` in place of ``-``."""

    def full(value):
        return np.full((1, columns), value)

    weights = np.array([shares.get(name.replace("-", "_"), 0.0) for name in EXPERTS])
    return LayerEvidence(
        gate=full(int(gate)),
        promised=full(promised),
        realised=full(realised),
        minutes=full(float(minutes)),
        loss_ratio=full(loss_ratio),
        absence=full(int(absence)),
        shares=np.tile(weights, (1, columns, 1)),
    )
