"""What a fleet's model is trained on, with a name for it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from recommender.forecast.examples import Examples
from recommender.forecast.features import Matrix
from recommender.forecast.lesson import Lesson
from recommender.observation import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTable:
    """What a fleet's model is trained on."""

    features: Matrix
    """[N, F]"""
    outcome: Floats
    """[N, K] shares of each series' level."""
    lesson: Lesson
    """What they are, and what is to be learned of them."""
    version: str
    """Digest of all."""


def table_of(examples: Examples) -> TrainingTable:
    """Return all rows of the examples."""
    features, outcome = examples.table()
    digest = sha256(repr(examples.lesson).encode())
    digest.update(features.tobytes())
    digest.update(outcome.tobytes())
    return TrainingTable(
        features=features,
        outcome=outcome,
        lesson=examples.lesson,
        version=digest.hexdigest(),
    )
