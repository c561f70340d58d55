"""The page on the controller explains every word that the controller may say."""

import re
from pathlib import Path

import typer

from autoscaler.api.condition_reasons import (
    AppliedReason,
    CapReason,
    ConnectionReason,
    PoolReason,
    QuotaReason,
    WorkloadReason,
)
from autoscaler.api.names import EventReason
from autoscaler.cli.main import app
from autoscaler.telemetry.controller_families import CONTROLLER_FAMILIES
from autoscaler.telemetry.kube_families import KUBE_FAMILIES

PAGE = Path(__file__).parents[3] / "docs" / "controller.md"


def section(title):
    """Return the text below a heading, up to the next one of its level or above."""
    text = PAGE.read_text(encoding="utf-8")
    level = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    below = text[level.end() :]
    ended = re.search(rf"^#{{1,{len(level[1])}}} ", below, re.MULTILINE)
    return below[: ended.start()] if ended else below


def words(title, column):
    """Return what stands in backticks in a column of the tables of a section."""
    rows = [line.split("|") for line in section(title).splitlines() if line.startswith("| ")]
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row[column])}


def test_every_event_has_a_row():
    assert words("Events", 1) == set(EventReason)


def test_every_reason_of_a_condition_has_a_row():
    assert {*WorkloadReason, *AppliedReason} <= words("`TensorFusionWorkload`", 2)
    assert set(CapReason) <= words("`TensorFusionWorkload`", 1)
    told = words("Pools, quotas, connections", 3)
    assert {*PoolReason, *QuotaReason, *ConnectionReason} <= told


def test_every_option_has_a_row():
    command = typer.main.get_command(app).commands["controller"]
    options = {name for each in command.params for name in each.opts if name != "--help"}

    assert words("Options", 1) == options


def test_the_metrics_that_are_worth_an_alert_exist():
    named = words("Metrics", 1)

    assert named
    assert named <= {family.name for family in (*CONTROLLER_FAMILIES, *KUBE_FAMILIES)}
