"""JSON: the canonical form of a report, its reader, and its JSON Schema.

Every other format is made from the same model, so ``read_report(render_json(report))`` loses
nothing.  NaN and infinity do not occur: what is not known is null.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import orjson

from recommender.errors import InvalidValueError
from recommender.report.blocks import ItemEvidence
from recommender.report.model import REPLICAS, SCHEMA, Report
from recommender.report.shape import decode, schema_of

if TYPE_CHECKING:
    from recommender.report.model import Item
    from recommender.report.options import RenderOptions

SCHEMA_ADDRESS = "https://json-schema.org/draft/2020-12/schema"
_ALWAYS_KEPT = {"current", "recommended", "items"}
"""Required by the schema even where they hold nothing."""


def render_json(report: Report, options: RenderOptions | None = None) -> str:
    """Return the canonical JSON: indented, fields in the order of the model, one final newline."""
    del options
    return orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n"


def render_jsonl(report: Report, options: RenderOptions | None = None) -> str:
    """Return one object a line: ``meta`` first, then every item, then every error.

    ``kind`` tells them apart: ``jq 'select(.kind == "item")'``.
    """
    del options
    lines: list[dict[str, object]] = [{"schema": SCHEMA, "kind": "meta", **asdict(report.meta)}]
    lines += [{"schema": SCHEMA, "kind": "item", **asdict(item)} for item in report.items]
    lines += [{"schema": SCHEMA, "kind": "error", **asdict(error)} for error in report.errors]
    return "".join(orjson.dumps(line).decode() + "\n" for line in lines)


def compact_json(report: Report) -> str:
    """Return valid but short JSON, without what a page shows anyway and without empty fields.

    Left out are plot points, hourly profiles, reasoning, settings, history, queries and patches.
    """
    items = tuple(_shortened(item) for item in report.items)
    plain = orjson.loads(orjson.dumps(replace(report, items=items)))
    return orjson.dumps(_without_empty(plain)).decode()


def read_report(text: str | bytes) -> Report:
    """Return the report of a JSON text.

    Raises ``InvalidValueError`` that names the field where the text is no JSON, of another
    version, or not as the schema says.
    """
    try:
        plain = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidValueError("report", str(error), "a JSON report") from error
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        found = plain.get("schema") if isinstance(plain, dict) else type(plain).__name__
        raise InvalidValueError("report.schema", found, f'a JSON report with "schema": "{SCHEMA}"')
    report: Report = decode(Report, plain)
    return report


def report_schema() -> dict[str, object]:
    """Return the JSON Schema of a report."""
    definitions: dict[str, object] = {}
    root = schema_of(Report, definitions)
    definition = definitions["Report"]
    assert isinstance(definition, dict)
    definition["properties"]["schema"] = {"const": SCHEMA}
    definition["required"] = ["schema", *definition["required"]]
    return {
        "$schema": SCHEMA_ADDRESS,
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        "title": "Report of the TensorFusion Autoscaler",
        **root,
        "$defs": definitions,
    }


def render_schema() -> str:
    """Return the JSON Schema as it is shipped."""
    return orjson.dumps(report_schema(), option=orjson.OPT_INDENT_2).decode() + "\n"


def _shortened(item: Item) -> Item:
    return replace(
        item,
        evidence=ItemEvidence()
        if item.resource == REPLICAS
        else replace(item.evidence, series=None, hourly_profile=()),
        reasoning=(),
        settings={},
        history=(),
        promql=None,
        patch=None,
    )


def _without_empty(value: object) -> object:
    if isinstance(value, dict):
        kept = {key: _without_empty(part) for key, part in value.items()}
        return {
            key: part
            for key, part in kept.items()
            if key in _ALWAYS_KEPT or (part is not None and part not in ([], {}))
        }
    if isinstance(value, list):
        return [_without_empty(part) for part in value]
    return value
