"""Values for every documented setting, under every name that it ever had."""

from __future__ import annotations

from recommender.policy.field import Field, Kind
from recommender.policy.fields import children_of

SPELLINGS = {
    Kind.SHARE: (0.25, "25%", "0.25", 25),
    Kind.BUFFER_RATIO: (0.15, "15%", 1.15),
    Kind.MULTIPLE: (1.0, "1", 1),
    Kind.DURATION: ("1h30m", "2d", "90m"),
    Kind.QUANTITY: ("2048", 2048, "2Ki", "2.048k"),
    Kind.AMOUNTS: ({"tflops": "20", "vram": "8Gi"}, {"compute": 40}),
    Kind.INTEGER: (3,),
    Kind.BOOLEAN: (False,),
    Kind.TEXT: ("a text",),
    Kind.URL: ("https://scaler.example.com/scale",),
}
"""How values of each kind may be written; nothing is enabled and all quantities are equal, so that
nothing contradicts."""


def every_setting(parent: str = "", turn: int = 0) -> dict[str, object]:
    """Return an ``autoScalingConfig`` that has everything, aliases included.

    ``turn`` chooses among the spellings.
    """
    return {name: _value(at, turn + i) for i, (name, at) in enumerate(children_of(parent).items())}


def _value(at: Field, turn: int) -> object:
    if at.kind is Kind.OBJECT:
        return every_setting(at.path, turn)
    if at.kind is Kind.LIST:
        return [every_setting(f"{at.path}[]", turn)]
    if at.kind is Kind.ENUM:
        words = (*at.choices, *(word for word, _ in at.synonyms), "")
        return words[turn % len(words)]
    spellings = SPELLINGS[at.kind]
    return spellings[turn % len(spellings)]
