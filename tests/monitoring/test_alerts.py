"""The alerts: they fire when they should and not otherwise, and lead to a section that helps."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.golden.alert_rules import RULES
from tests.monitoring.expressions import most, parsed, problems, without_threshold
from tests.test_docs import anchors

ROOT = Path(__file__).parents[2]
GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
CASES = yaml.safe_load(Path(__file__).with_name("alert_cases.yaml").read_text(encoding="utf-8"))
PRIORITIES = {"critical": "P0", "warning": "P1", "info": "P2"}
RUNBOOKS = ROOT / "docs" / "runbooks.md"
RUNBOOK = RUNBOOKS.read_text(encoding="utf-8")
PARTS_OF_A_RUNBOOK = ("Means", "Users notice", "First look", "Cure")
SHOWN = re.compile(r"\{\{ \$(?:labels\.(\w+)|value \| \w+) \}\}")


def expected_of(alert, fired):
    """Return labels and texts of an alert as promtool should see them."""
    labels = {name: text for name, text in fired.items() if name != "value"}

    def shown(found):
        return labels.get(found[1], "") if found[1] else fired["value"]

    return {
        "exp_labels": {**labels, **alert["labels"]},
        "exp_annotations": {k: SHOWN.sub(shown, text) for k, text in alert["annotations"].items()},
    }


def promtool_test(name, number, case):
    series = [{"series": text, "values": values} for text, values in case["series"].items()]
    alerts = [expected_of(ALERTS[name], fired) for fired in case["fires"]]
    return {
        "name": f"{name}, case {number}",
        "interval": case.get("interval", "15s"),
        "input_series": series,
        "alert_rule_test": [{"eval_time": case["at"], "alertname": name, "exp_alerts": alerts}],
    }


@pytest.fixture
def promtool(prometheus_binaries):
    def run(*arguments):
        command = [str(prometheus_binaries.promtool), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_promtool_finds_nothing_to_criticise(promtool):
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_when_it_should_and_not_otherwise(name, promtool, tmp_path):
    tests = [promtool_test(name, number, case) for number, case in enumerate(CASES[name], 1)]
    path = tmp_path / "test.yaml"
    # Days are gone through in steps of what is scraped.
    every = CASES[name][0].get("interval", "1m")
    file = {"rule_files": [str(RULES)], "evaluation_interval": every, "tests": tests}
    path.write_text(json.dumps(file), encoding="utf-8")

    done = promtool("test", "rules", path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    assert CASES.keys() == ALERTS.keys()
    for cases in CASES.values():
        assert {bool(case["fires"]) for case in cases} == {True, False}


@pytest.mark.parametrize("name", CASES)
def test_cases_are_made_of_series_that_are_exported(name, installation):
    for series in {series for case in CASES[name] for series in case["series"]}:
        assert problems(parsed(installation.url, series)) == []


@pytest.mark.parametrize("name", ALERTS)
def test_an_expression_asks_for_what_is_exported(name, installation):
    assert problems(parsed(installation.url, ALERTS[name]["expr"])) == []


@pytest.mark.parametrize("name", ALERTS)
def test_an_expression_finds_its_series_in_an_installation(name, installation):
    query = without_threshold(ALERTS[name]["expr"])

    assert most(installation.url, query, installation.end_s, over_s=0)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_and_what_it_is_about(name):
    alert = ALERTS[name]

    assert alert["labels"]["priority"] == PRIORITIES[alert["labels"]["severity"]]
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["description"].endswith(".")


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_leads_to_a_section_that_helps(name):
    page, _, anchor = ALERTS[name]["annotations"]["runbook_url"].partition("#")

    assert ROOT / page == RUNBOOKS
    assert anchor == name.lower()
    assert anchor in anchors(RUNBOOKS)


def test_the_runbooks_have_one_section_for_each_alert_with_all_parts():
    sections = re.split(r"^### ", RUNBOOK, flags=re.MULTILINE)[1:]
    titles = [section.partition("\n")[0] for section in sections]

    assert titles == list(ALERTS)
    for section in sections:
        assert tuple(re.findall(r"^\*\*(.+?)\.\*\*", section, re.MULTILINE)) == PARTS_OF_A_RUNBOOK


@pytest.mark.parametrize("query", re.findall(r"```promql\n(.+?)```", RUNBOOK, re.DOTALL))
def test_a_query_of_the_runbooks_has_data(query, installation):
    assert problems(parsed(installation.url, query)) == []
    assert most(installation.url, query, installation.end_s, over_s=0)


def test_the_operator_gets_the_same_groups():
    text = RULES.with_name("prometheus-rule.yaml").read_text(encoding="utf-8")

    assert yaml.safe_load(text)["spec"] == {"groups": GROUPS}
