"""JSON Schemas of single settings, for editors: types, spellings and known words.

What a value means, and how values fit together, is checked by the readers beside them.
"""

from __future__ import annotations

from typing import Any

from autoscaler.api.scalars import pattern_of
from autoscaler.sources.prometheus.mapping_document import OPERATORS

Shape = dict[str, Any]

_FLOAT = r"[+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"

SHARE: Shape = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        {"type": "string", "pattern": rf"^\s*{_FLOAT}\s*%?\s*$"},
    ]
}
DURATION: Shape = {"type": "string", "pattern": pattern_of("duration")}
QUANTITY: Shape = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": pattern_of("quantity")},
    ]
}
BOOLEAN: Shape = {"type": "boolean"}
FILE: Shape = {"type": "string", "minLength": 1}
URL: Shape = {"type": "string", "pattern": r"^\s*[Hh][Tt][Tt][Pp][Ss]?://\S+\s*$"}
CURRENCY: Shape = {"type": "string", "maxLength": 8, "pattern": r"\S"}
USERNAME: Shape = {"type": "string", "minLength": 1, "pattern": "^[^:]*$"}
TEXTS: Shape = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}
FILES: Shape = {"type": "object", "additionalProperties": FILE}
MODELS: Shape = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {"tflops": QUANTITY, "vram": QUANTITY},
        "required": ["tflops", "vram"],
        "additionalProperties": False,
    },
}
PRICES: Shape = {
    "type": "object",
    "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e6},
}
SELECTOR: Shape = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "propertyNames": {"enum": [*OPERATORS]},
                "additionalProperties": {"type": "string"},
                "minProperties": 1,
            },
        ]
    },
}
