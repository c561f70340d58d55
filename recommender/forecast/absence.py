"""Why a model that a policy asks for by name does not count for a series, and what does."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType

from recommender.forecast.fleet_model import LEAST_ROWS
from recommender.forecast.models import MODELS, MOST_NAMED_IN_THE_LOOP, ModelName, Runs
from recommender.forecast.named.reason import Reason


class Absence(IntEnum):
    """Of one series, for columns of a table."""

    NONE = 0
    """The model counts, as far as its gate lets it."""
    UNTRAINED = 1
    """The fleet's model, of which ``auto`` lacks only that part."""
    NOT_YET = 2
    """The live loop has it fitted soon."""
    LEFT_OUT = 3
    """The live loop fits those of other workloads."""
    NOT_HERE = 4
    """Reports and simulations fit none that would count."""
    TOO_SHORT = 5
    TOO_MANY_GAPS = 6
    CONSTANT = 7
    NOT_CONVERGED = 8
    TIMED_OUT = 9
    ENDED = 10

    @classmethod
    def of(cls, reason: Reason) -> Absence:
        """Return that of a fit which gave nothing."""
        return cls[reason.name]

    @property
    def sentence(self) -> str:
        """For people; empty where nothing is absent."""
        return _SENTENCES[self]


_SENTENCES = MappingProxyType(
    {
        Absence.NONE: "",
        Absence.UNTRAINED: f"The fleet's model is not trained yet; {LEAST_ROWS} outcomes are the "
        "least for it.",
        Absence.NOT_YET: "The first fit of it has not ended yet.",
        Absence.LEFT_OUT: f"The {MOST_NAMED_IN_THE_LOOP} workloads that may have a model of "
        "their own are others, which were known before.",
        Absence.NOT_HERE: "Models that are fitted for one series alone count in the live loop and "
        "in back-tests only.",
        **{Absence.of(reason): reason.sentence for reason in Reason},
    }
)


def instead_of(model: ModelName) -> str:
    """Return what counts where a model is absent."""
    return str(ModelName.AUTO) if MODELS[model].runs is Runs.NAMED else "what was measured"


def absence_sentence(model: ModelName, absence: Absence) -> str:
    """Return which model counts for another one, and why, in two sentences; else nothing."""
    if absence is Absence.NONE:
        return ""
    if model is ModelName.AUTO:
        return f"In auto, {ModelName.GBM} does not count: {_lower(absence.sentence)}"
    return f"In place of {model}, {instead_of(model)} counts: {_lower(absence.sentence)}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
