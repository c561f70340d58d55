"""What one documented setting is: its name, kind, range, default and meaning.

The settings themselves stand in ``first_generation`` and ``current_generation``; how a value is
spelt is in ``values``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from recommender.forecast.models import MODELS, MOST_NAMED_IN_THE_LOOP, ModelName, Runs

HOUR_S = 3600
DAY_S = 24 * HOUR_S


class Kind(StrEnum):
    """How a value is spelt."""

    SHARE = "share"
    """0.95, 95, "95" and "95%" are the same; a bare number above 1 means percent."""
    BUFFER_RATIO = "buffer ratio"
    """Below 1, or with %, it is added; a bare number from 1 on is a factor."""
    MULTIPLE = "multiple"
    DURATION = "duration"
    QUANTITY = "quantity"
    AMOUNTS = "amounts"
    """One ``requests`` or ``limits`` mapping."""
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"
    URL = "URL"
    ENUM = "enum"
    OBJECT = "object"
    LIST = "list"
    """A list of objects, whose fields follow with ``[]`` in their path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting of ``autoScalingConfig``.  Values are in base units: shares 0 to 1, seconds."""

    path: str
    """Below ``autoScalingConfig``, for example ``autoSetRequests.extraBufferRatio``."""
    kind: Kind
    meaning: str
    """One sentence for users."""
    default: object = None
    """None: not set."""
    default_text: str = ""
    """Replaces the default in texts, where the plain value does not say enough."""
    lowest: float | None = None
    highest: float | None = None
    is_open: bool = False
    """The lowest and the highest value themselves are not allowed."""
    choices: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, str], ...] = ()
    """Other words for a choice."""
    aliases: tuple[str, ...] = ()
    """Other documented names of the last part of the path."""
    lands: tuple[str, ...] = ()
    """Paths in ``Policy``."""
    unit: str = ""
    is_bound: bool = False
    """It keeps the layer from doing too much: while it is wrong, its block only recommends."""
    is_ignored: bool = False
    """Accepted because it was once documented; it has no effect."""

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition(".")[2].removesuffix("[]")

    @property
    def parent(self) -> str:
        """Path of the object that holds it; empty at the top."""
        return self.path.rpartition(".")[0]

    @property
    def block(self) -> str:
        """First part of the path."""
        return self.path.partition(".")[0].removesuffix("[]")


def both(attribute: str) -> tuple[str, ...]:
    """Return the paths of an attribute of both dimensions: ``requests.mode`` lands twice."""
    table, _, name = attribute.partition(".")
    return f"{table}.compute.{name}", f"{table}.vram.{name}"


def prediction_fields(
    block: str, lands: tuple[str, ...], purpose: str, *, period_s: int
) -> tuple[Field, ...]:
    """Return the four settings that every ``prediction`` block has.

    ``lands`` are the ``Prediction`` attributes of the policy that they set; ``period_s`` is how far
    ahead the layer looks by default.
    """

    def target(name: str) -> tuple[str, ...]:
        return tuple(f"{attribute}.{name}" for attribute in lands)

    return (
        Field(path=block, kind=Kind.OBJECT, meaning=f"Forecast {purpose}."),
        Field(
            path=f"{block}.enable",
            kind=Kind.BOOLEAN,
            default=False,
            lands=target("enabled"),
            meaning="Whether the forecast takes part.",
        ),
        Field(
            path=f"{block}.model",
            kind=Kind.ENUM,
            choices=tuple(name.value for name in ModelName),
            default=ModelName.AUTO.value,
            lands=target("model"),
            meaning=_models_meaning(),
        ),
        Field(
            path=f"{block}.historyDataPeriod",
            kind=Kind.DURATION,
            default=14 * DAY_S,
            lowest=HOUR_S,
            highest=90 * DAY_S,
            unit="s",
            lands=target("history_s"),
            meaning="How much measured use the forecast learns from.",
        ),
        Field(
            path=f"{block}.predictionPeriod",
            kind=Kind.DURATION,
            default=period_s,
            lowest=60,
            highest=14 * DAY_S,
            unit="s",
            lands=target("period_s"),
            meaning="How far ahead the forecast looks.",
        ),
    )


def _models_meaning() -> str:
    named = [model.name for model in MODELS.values() if model.runs is Runs.NAMED]
    return (
        "The forecasting model; auto chooses by the score on the workload's own past. "
        f"{' and '.join(named)} count in back-tests, and in the live loop for at most "
        f"{MOST_NAMED_IN_THE_LOOP} workloads; elsewhere auto does in their place, which reports "
        "say."
    )
