"""Every query of every panel, asked of a real Prometheus over what the processes export."""

import json
import math
import re
from dataclasses import dataclass

import pytest

from tests.golden.dashboards import PANELS, UnknownFieldError, read_panels
from tests.monitoring.expressions import most, parsed, problems, values
from tests.monitoring.live_processes import GPU_MODEL

FOLDER = PANELS.parent
BOARDS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
CHOSEN = {"namespace": "team", "workload": "chat", "pool": ".*", "gpu_model": GPU_MODEL}
"""What somebody chose in the variables of a dashboard."""
LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")
OF_GRAFANA = {"__rate_interval": "5m", "__range": "1h"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query of a dashboard."""

    where: str
    text: str
    """With the variables filled in."""


def filled(text):
    known = {**CHOSEN, **OF_GRAFANA}
    return re.sub(r"\$(\w+)", lambda found: known[found[1]], text)


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries():
    for name, board in BOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                where = f"{name}: {panel['title']}: {target['legendFormat']}"
                yield Query(where=where, text=filled(target["expr"]))
        for annotation in board["annotations"]["list"]:
            where = f"{name}: {annotation['name']}"
            yield Query(where=where, text=filled(annotation["target"]["expr"]))


def of_where(query):
    return query.where


QUERIES = tuple(queries())


@pytest.mark.parametrize("query", QUERIES, ids=of_where)
def test_a_query_asks_for_what_is_exported(query, installation):
    assert problems(parsed(installation.url, query.text)) == []


@pytest.mark.parametrize("query", QUERIES, ids=of_where)
def test_a_query_has_data(query, installation):
    found = most(installation.url, query.text, installation.end_s)

    assert [value for value in found.values() if math.isfinite(value)]


@pytest.mark.parametrize("query", QUERIES, ids=of_where)
def test_a_process_that_does_not_lead_changes_no_figure(query, installation, leaders_alone):
    found = values(installation.url, query.text, installation.end_s)
    expected = values(leaders_alone.url, query.text, leaders_alone.end_s)

    # It may add what it never did, and what is told of each process.
    added = found.keys() - expected.keys()
    assert [key for key in added if abs(found[key]) > 0 and "instance" not in dict(key)] == []
    assert {key: found[key] for key in expected} == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("name", BOARDS)
def test_variables_ask_for_labels_of_what_is_exported(name, installation):
    asked = [each for each in BOARDS[name]["templating"]["list"] if each["type"] == "query"]

    for variable in asked:
        series, label = LABEL_VALUES.fullmatch(variable["definition"]).groups()
        tree = parsed(installation.url, f"count by ({label}) ({filled(series)})")
        assert problems(tree) == []
        assert values(installation.url, filled(series), installation.end_s)


@pytest.mark.parametrize("name", BOARDS)
def test_queries_name_no_variable_that_the_dashboard_lacks(name):
    board = BOARDS[name]
    known = {variable["name"] for variable in board["templating"]["list"]} | set(OF_GRAFANA)

    assert set(re.findall(r"\$\{?(\w+)", json.dumps(board, ensure_ascii=False))) <= known


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_says_what_it_shows_and_asks_the_chosen_source(name):
    for panel in panels(BOARDS[name]):
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        sources = {panel["datasource"]["uid"], *(t["datasource"]["uid"] for t in panel["targets"])}
        assert sources == {"${datasource}"}


@pytest.mark.parametrize("name", BOARDS)
def test_panels_do_not_overlap(name):
    taken = set()
    for panel in BOARDS[name]["panels"]:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not own & taken
        taken |= own


def test_numbers_and_names_of_dashboards_are_their_own():
    for board in BOARDS.values():
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers)
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)


def test_a_field_that_means_nothing_is_refused(tmp_path):
    path = tmp_path / "fleet.yaml"
    text = (PANELS / "fleet.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("width: 4", "wide: 4", 1), encoding="utf-8")

    with pytest.raises(UnknownFieldError, match=r"fleet\.yaml, panel .+: wide means nothing"):
        read_panels(path)
