"""The dashboards of ``deploy/dashboards``: what Grafana imports, made from the panels in YAML.

Grafana's own form has some forty lines for a panel, of which a reader wants to know five.  These
stand in ``deploy/dashboards/panels``; here is what all panels have in common.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

PANELS = Path(__file__).parents[2] / "deploy" / "dashboards" / "panels"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION = 39
"""Of Grafana 11; newer ones read it and carry it over to theirs."""
WIDTH, HEIGHT, ROW_HEIGHT, STAT_HEIGHT = 24, 8, 1, 4
REFRESH = "30s"
TAG = "tensor-fusion"
"""By which the dashboards find one another."""
ON_CHANGE_OF_TIME, BY_NAME = 2, 1
"""When a variable is asked for again, and how its values are sorted."""
DASHBOARD_FIELDS = {"uid", "title", "description", "shorthands", "variables", "annotations", "rows"}
PANEL_FIELDS = {
    *("title", "description", "kind", "unit", "decimals", "max", "width", "height"),
    *("thresholds", "stacked", "band", "value", "queries"),
}


class UnknownFieldError(Exception):
    """A file of panels has a field that means nothing; the text names it and those that do."""


def read_panels(path: Path) -> dict[str, Any]:
    """Return the contents of a file of panels, with its shorthands written out.

    Raises ``UnknownFieldError``.
    """
    text = path.read_text(encoding="utf-8")
    shorthands = yaml.safe_load(text).get("shorthands", {})
    # The longest first: one may begin with another.
    for name in sorted(shorthands, key=len, reverse=True):
        text = text.replace(f"{{{name}", "{" + shorthands[name])
    board: dict[str, Any] = yaml.safe_load(text)
    _check(board, DASHBOARD_FIELDS, path.name)
    for row in board["rows"]:
        for panel in row["panels"]:
            _check(panel, PANEL_FIELDS, f"{path.name}, panel {panel.get('title', '?')!r}")
    return board


def dashboard_json(board: Mapping[str, Any]) -> str:
    """Return what Grafana imports."""
    variables = (_variable(each) for each in board.get("variables", ()))
    annotations = (_annotation(each) for each in board.get("annotations", ()))
    document = {
        "uid": board["uid"],
        "title": board["title"],
        "description": board["description"],
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": REFRESH,
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": list(annotations)},
        "templating": {"list": [_source_variable(), *variables]},
        "links": [_link_to_the_others()],
        "panels": list(_panels(board["rows"])),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _check(fields: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise UnknownFieldError(
            f"{where}: {', '.join(unknown)} means nothing; allowed: {', '.join(sorted(known))}"
        )


def _panels(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Place panels from left to right, and in a new line where one has no room."""
    number, top = 0, 0
    for row in rows:
        number += 1
        place = {"h": ROW_HEIGHT, "w": WIDTH, "x": 0, "y": top}
        head = {"id": number, "type": "row", "title": row["title"]}
        yield {**head, "collapsed": False, "gridPos": place, "panels": []}
        left, top, height = 0, top + ROW_HEIGHT, 0
        for panel in row["panels"]:
            number += 1
            if left + panel["width"] > WIDTH:
                left, top, height = 0, top + height, 0
            own = panel.get("height", STAT_HEIGHT if panel["kind"] == "stat" else HEIGHT)
            place = {"h": own, "w": panel["width"], "x": left, "y": top}
            yield {"id": number, **_panel(panel), "gridPos": place}
            left, height = left + panel["width"], max(height, own)
        top += height


def _panel(panel: Mapping[str, Any]) -> dict[str, Any]:
    is_table = panel["kind"] == "table"
    shown = {
        "type": panel["kind"],
        "title": panel["title"],
        "description": panel["description"],
        "datasource": SOURCE,
        "targets": [
            _target(chr(ord("A") + at), legend, query, is_table=is_table)
            for at, (legend, query) in enumerate(panel["queries"].items())
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": list(_overrides(panel))},
        "options": OPTIONS[panel["kind"]],
    }
    if is_table:
        value = panel["value"]
        columns = {"excludeByName": {"Time": True}, "renameByName": {"Value": value}}
        shown["transformations"] = [{"id": "organize", "options": columns}]
        shown["options"] = {**OPTIONS["table"], "sortBy": [{"displayName": value, "desc": True}]}
    return shown


def _target(name: str, legend: str, query: str, *, is_table: bool) -> dict[str, Any]:
    return {
        "refId": name,
        "datasource": SOURCE,
        "expr": query.strip(),
        "legendFormat": legend,
        "instant": is_table,
        "range": not is_table,
        "format": "table" if is_table else "time_series",
    }


def _defaults(panel: Mapping[str, Any]) -> dict[str, Any]:
    """Return how values are shown, other than those of single series."""
    thresholds = panel.get("thresholds", ["green"])
    is_series = panel["kind"] == "timeseries"
    defaults: dict[str, Any] = {
        "unit": panel.get("unit", "short"),
        "color": {"mode": "palette-classic" if is_series else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": list(_steps(thresholds))},
        "custom": {},
    }
    if "max" in panel:
        defaults |= {"min": 0, "max": panel["max"]}
    if "decimals" in panel:
        defaults["decimals"] = panel["decimals"]
    if panel["kind"] == "table":
        defaults["custom"] = {"align": "auto", "inspect": False}
    if is_series:
        style = "dashed" if len(thresholds) > 1 else "off"
        stacking = "normal" if panel.get("stacked") else "none"
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 20 if panel.get("stacked") else 0,
            "showPoints": "never",
            # A workload that has no worker for a while has a gap, not a line across it.
            "spanNulls": False,
            "stacking": {"mode": stacking, "group": "A"},
            "thresholdsStyle": {"mode": style},
        }
    return defaults


def _steps(thresholds: list[Any]) -> Iterator[dict[str, Any]]:
    """Make steps of a colour, then pairs of a value and the colour from there on."""
    yield {"color": thresholds[0], "value": None}
    for value, color in zip(thresholds[1::2], thresholds[2::2], strict=True):
        yield {"color": color, "value": value}


def _overrides(panel: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Fill what lies between the two series of a band."""
    if "band" not in panel:
        return
    lower, upper = panel["band"]
    grey = {"id": "color", "value": {"mode": "fixed", "fixedColor": "#808080"}}
    thin = {"id": "custom.lineWidth", "value": 0}
    yield {"matcher": {"id": "byName", "options": lower}, "properties": [grey, thin]}
    filled = [
        {"id": "custom.fillBelowTo", "value": lower},
        {"id": "custom.fillOpacity", "value": 15},
    ]
    yield {"matcher": {"id": "byName", "options": upper}, "properties": [grey, thin, *filled]}


def _source_variable() -> dict[str, Any]:
    named = {"name": "datasource", "label": "Prometheus"}
    return {**named, "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0}


def _variable(variable: Mapping[str, Any]) -> dict[str, Any]:
    has_all = variable.get("all", False)
    return {
        "name": variable["name"],
        "type": "query",
        "label": variable["label"],
        "datasource": SOURCE,
        "query": {"query": variable["query"], "refId": variable["name"]},
        "definition": variable["query"],
        "refresh": ON_CHANGE_OF_TIME,
        "sort": BY_NAME,
        "includeAll": has_all,
        "multi": has_all,
        **({"allValue": ".*"} if has_all else {}),
    }


def _annotation(annotation: Mapping[str, Any]) -> dict[str, Any]:
    query = annotation["query"].strip()
    return {
        "name": annotation["name"],
        "enable": True,
        "datasource": SOURCE,
        "iconColor": annotation["color"],
        # As long as the offset in the query: each change is seen once.
        "target": {"refId": "Anno", "expr": query, "interval": "60s", "range": True},
        "titleFormat": annotation["name"],
        "textFormat": annotation["text"],
    }


def _link_to_the_others() -> dict[str, Any]:
    taken_along = {"includeVars": True, "keepTime": True}
    found = {"type": "dashboards", "tags": [TAG], "asDropdown": True, "targetBlank": False}
    shown = {"title": "TensorFusion", "icon": "external link", "tooltip": ""}
    return {**shown, **found, **taken_along}


OPTIONS: Mapping[str, dict[str, Any]] = {
    "stat": {
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "auto",
        "justifyMode": "auto",
        "orientation": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "table": {"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
    "timeseries": {
        "legend": {
            "showLegend": True,
            "displayMode": "table",
            "placement": "bottom",
            "calcs": ["lastNotNull", "max"],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}
"""Kind of a panel to what all of its kind have; all fields that Grafana's schema requires."""
