"""The catalogue says the same as the module files."""

import re

import pytest

from tests.components.catalogue import (
    COMPONENTS,
    KUBERNETES_RELEASES,
    UnknownReleaseError,
    kubernetes,
)

KUBERNETES = [kubernetes(release) for release in KUBERNETES_RELEASES]
BY_NAME = {component.name: component for component in (*COMPONENTS, *KUBERNETES)}


def module_text(component):
    return (component.module / "go.mod").read_text(encoding="utf-8")


@pytest.mark.parametrize("component", BY_NAME.values(), ids=BY_NAME)
def test_every_program_is_a_tool_of_its_module(component):
    tools = set(re.findall(r"^(?:tool |\t)([^\s()]+)$", module_text(component), re.MULTILINE))

    assert set(component.programs.values()) == tools


@pytest.mark.parametrize("component", BY_NAME.values(), ids=BY_NAME)
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
    helm = re.search(r"helm\.sh/helm/v4 (v\S+)", module_text(BY_NAME["helm"]))[1]
    assert list(BY_NAME["helm"].stamps.values()) == [helm]
    manager = re.search(
        r"github.com/cert-manager/cert-manager (v\S+)", module_text(BY_NAME["cert-manager"])
    )[1]
    assert list(BY_NAME["cert-manager"].stamps.values()) == [manager]


@pytest.mark.parametrize("release", KUBERNETES_RELEASES)
def test_a_kubernetes_is_stamped_with_the_version_of_its_module(release):
    component = kubernetes(release)
    required = re.search(r"k8s\.io/kubernetes (v\S+)", module_text(component))[1]
    stamps = {name.rpartition(".")[2]: value for name, value in component.stamps.items()}

    assert required == f"v{release}"
    assert stamps["gitVersion"] == required
    assert f"{stamps['gitMajor']}.{stamps['gitMinor']}" == release.rpartition(".")[0]


def test_a_kubernetes_that_is_not_pinned_is_an_error_that_names_those_that_are():
    with pytest.raises(UnknownReleaseError, match=r"=1\.20\.1 is not .*; allowed: 1\.37\.2, 1\.33"):
        kubernetes("1.20.1")
