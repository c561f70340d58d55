"""The catalogue says the same as the module files."""

import re

import pytest

from tests.components.catalogue import COMPONENTS

BY_NAME = {component.name: component for component in COMPONENTS}


def module_text(component):
    return (component.module / "go.mod").read_text(encoding="utf-8")


@pytest.mark.parametrize("component", COMPONENTS, ids=BY_NAME)
def test_every_program_is_a_tool_of_its_module(component):
    tools = set(re.findall(r"^(?:tool |\t)([^\s()]+)$", module_text(component), re.MULTILINE))

    assert set(component.programs.values()) == tools


@pytest.mark.parametrize("component", COMPONENTS, ids=BY_NAME)
def test_every_module_is_pinned(component):
    assert (component.module / "go.sum").stat().st_size > 0
    assert re.fullmatch(r"1\.\d+\.\d+", component.go_needed)


def test_the_stamped_versions_are_those_of_the_modules():
    minor, patch = re.search(
        r"github.com/prometheus/prometheus v0\.(\d+)\.(\d+)", module_text(BY_NAME["prometheus"])
    ).groups()
    metrics = re.search(
        r"github.com/VictoriaMetrics/VictoriaMetrics (v\S+)",
        module_text(BY_NAME["victoriametrics"]),
    )[1]

    # Prometheus 3.16.0 is published as the Go module v0.316.0.
    assert list(BY_NAME["prometheus"].stamps.values()) == [
        f"{int(minor) // 100}.{int(minor) % 100}.{patch}"
    ]
    assert list(BY_NAME["victoriametrics"].stamps.values()) == [f"victoria-metrics-{metrics}"]
