"""What a fleet's model is trained on, with a name for it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from recommender.forecast.examples import Examples
from recommender.forecast.features import Matrix
from recommender.observation import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTable:
    """What a fleet's model is trained on."""

    features: Matrix
    """[N, F]"""
    outcome: Floats
    """[N] shares of each series' level."""
    version: str
    """Digest of both."""


def table_of(examples: Examples) -> TrainingTable:
    """Return all rows of the examples."""
    features, outcome = examples.table()
    digest = sha256(features.tobytes())
    digest.update(outcome.tobytes())
    return TrainingTable(features=features, outcome=outcome, version=digest.hexdigest())
