"""JSON: the canonical form of a report, its reader, and its JSON Schema.

Every other format is made from the same model, so ``read_report(render_json(report))`` loses
nothing.  NaN and infinity do not occur: what is not known is null.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, asdict, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from recommender.errors import InvalidValueError
from recommender.report.blocks import ItemEvidence, RecommendedSize
from recommender.report.model import REPLICAS, SCHEMA, Report
from recommender.report.shape import decode, schema_of

if TYPE_CHECKING:
    from recommender.report.model import Item
    from recommender.report.options import RenderOptions

SCHEMA_ADDRESS = "https://json-schema.org/draft/2020-12/schema"
_EXACT_BELOW = 2.0**53


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
    """Return valid but short JSON for the page, which shows the rest anyway.

    Fields at their default are absent.  Left out are labels, plots, most of the evidence, bounds,
    relative changes, reasoning, what-if, forecasts, enrolment, settings, history, queries and
    patches.
    """
    items = tuple(_shortened(item) for item in report.items)
    brief = _brief(replace(report, items=items))
    assert isinstance(brief, dict)
    return orjson.dumps({"schema": report.schema, "items": [], **brief}).decode()


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
    """Return the item with what a script needs to act on it."""
    evidence, recommended = item.evidence, item.recommended
    if isinstance(recommended, RecommendedSize):
        recommended = RecommendedSize(request=recommended.request, limit=recommended.limit)
    return replace(
        item,
        identity=replace(item.identity, qos=None, labels={}),
        recommended=recommended,
        change_ratio=None,
        limit_change_ratio=None,
        further=(),
        evidence=ItemEvidence()
        if item.resource == REPLICAS
        else ItemEvidence(
            highest=evidence.highest,
            denials=evidence.denials or None,
            is_opaque=evidence.is_opaque,
        ),
        reasoning=(),
        what_if=None,
        forecasts=(),
        pattern=None,
        enrolment={},
        settings={},
        history=(),
        promql=None,
        patch=None,
    )


def _brief(value: object) -> object:
    """Return plain values, fields at their default left out, whole numbers without a point."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            part.name: _brief(getattr(value, part.name))
            for part in fields(value)
            if getattr(value, part.name) != _default(part)
        }
    if isinstance(value, tuple):
        return [_brief(part) for part in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_BELOW:
        return int(value)
    return value


def _default(part: Field[Any]) -> object:
    return part.default if part.default_factory is MISSING else part.default_factory()
