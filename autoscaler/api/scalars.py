"""Values that the kinds share: how each is spelt, and how the API server checks it.

Quantities are checked by CEL and not by a pattern, because a pattern's message shows nothing but
the pattern; where CEL would cost too much, ``affordable`` puts the pattern in its place.  All
values keep their spelling.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema

from recommender.durations import ALLOWED_DURATION, parse_duration_s
from recommender.errors import InvalidValueError
from recommender.policy.schema import DEFINITIONS
from recommender.quantities import parse_quantity

LONGEST_SCALAR = 64
"""Characters of a quantity or duration; newer API servers estimate the cost of CEL from it."""
QUANTITY_PATTERN = r"^([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$"
LONGEST_NAME = 253
"""Characters of an object's name."""


def rule(condition: str, message: str, **others: str) -> dict[str, str]:
    """Return one entry of ``x-kubernetes-validations``; ``others`` are its further keys."""
    return {"rule": condition, "message": message, **others}


def pattern_of(kind: str) -> str:
    """Return the pattern of a kind of setting (``policy/field.Kind``), its text form."""
    forms: Any = DEFINITIONS[kind]["anyOf"]
    return str(forms[0]["pattern"])


def or_blank(kind: str) -> str:
    """Return the pattern of a kind of setting; blank text is the same as no value."""
    return rf"^\s*$|{pattern_of(kind)}"


def int_or_string(*rules: Mapping[str, str]) -> dict[str, Any]:
    """Return the schema of a value that may be written with or without quotes."""
    return {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "maxLength": LONGEST_SCALAR,
        "x-kubernetes-validations": list(rules),
    }


def quantity_of(value: str) -> str:
    """Return CEL that reads a field as a quantity."""
    return f"quantity(string({value}))"


def value_rule(condition: str, allowed: str) -> dict[str, str]:
    """Return the rule of a single value; older API servers do not show the value themselves."""
    rest = json.dumps(f"' is not valid; allowed: {allowed}")
    return rule(condition, f"allowed: {allowed}", messageExpression=f'"\'" + string(self) + {rest}')


_IS_QUANTITY = value_rule(
    f"isQuantity(string(self)) && !{quantity_of('self')}.isLessThan(quantity('0'))",
    "a Kubernetes quantity, 0 or more, such as 12, 500m, 1.5k or 16Gi",
)
_UP_TO_100 = value_rule(
    f"!isQuantity(string(self)) || !{quantity_of('self')}.isGreaterThan(quantity('100'))",
    "0 to 100 (percent of one GPU)",
)
_FROM_100 = value_rule(
    f"!isQuantity(string(self)) || !{quantity_of('self')}.isLessThan(quantity('100'))",
    "100 (percent) or more",
)


def duration_schema(allowed: str = ALLOWED_DURATION) -> dict[str, Any]:
    """Return the schema of a duration; zero needs no unit, so that it may be a number."""
    needs_unit = value_rule("type(self) == string || self == 0", allowed)
    return {**int_or_string(needs_unit), "pattern": or_blank("duration")}


def _between(lowest: int, highest: int | None = None) -> AfterValidator:
    """Return the check of a quantity's range, both ends allowed."""
    allowed = f"{lowest} or more" if highest is None else f"{lowest} to {highest}"

    def checked(value: int | str) -> int | str:
        try:
            amount = parse_quantity(value)
        except InvalidValueError as error:
            raise ValueError(f"allowed: {error.allowed}") from error
        if amount < lowest or (highest is not None and amount > highest):
            raise ValueError(f"allowed: {allowed}")
        return value

    return AfterValidator(checked)


def _checked_duration(value: int | str) -> int | str:
    try:
        parse_duration_s(value)
    except InvalidValueError as error:
        raise ValueError(f"allowed: {error.allowed}") from error
    return value


QUANTITY_SCHEMA = int_or_string(_IS_QUANTITY)
Quantity = Annotated[int | str, _between(0), WithJsonSchema(QUANTITY_SCHEMA)]
"""A Kubernetes quantity, not negative."""
Percent = Annotated[
    int | str, _between(0, 100), WithJsonSchema(int_or_string(_IS_QUANTITY, _UP_TO_100))
]
"""A quantity from 0 to 100."""
OversellPercent = Annotated[
    int | str, _between(100), WithJsonSchema(int_or_string(_IS_QUANTITY, _FROM_100))
]
"""A quantity of percent, 100 or more."""
Duration = Annotated[
    int | str, AfterValidator(_checked_duration), WithJsonSchema(duration_schema())
]
"""A duration such as ``1h30m``; zero needs no unit."""
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time as RFC 3339 spells it."""
Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Count = Annotated[
    int, WithJsonSchema({"type": "integer", "format": "int32", "minimum": 0}), Field(ge=0)
]
Number = Annotated[
    int, WithJsonSchema({"type": "integer", "format": "int64", "minimum": 0}), Field(ge=0)
]
"""A count that may become large."""
Foreign = Annotated[
    Mapping[str, Any],
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]
"""An object of another API, kept as it is."""
