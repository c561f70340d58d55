"""The PodMonitors find every process of the manifests, and keep the labels of its series."""

from pathlib import Path

import pytest
import yaml

from tests.golden.dashboards import PANELS

DEPLOY = Path(__file__).parents[2] / "deploy"
MONITORS = list(yaml.safe_load_all((DEPLOY / "alerts" / "pod-monitors.yaml").read_text("utf-8")))
PROCESSES = [
    document
    for name in ("deployment.yaml", "daemonset.yaml")
    for path in sorted((DEPLOY / "kustomize").glob(f"*/{name}"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]


def selects(monitor, process):
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    is_near = monitor["metadata"]["namespace"] == process["metadata"]["namespace"]
    return is_near and wanted <= process["spec"]["template"]["metadata"]["labels"].items()


def test_all_four_processes_are_in_the_manifests():
    parts = {each["metadata"]["labels"]["app.kubernetes.io/component"] for each in PROCESSES}

    assert parts == {"webhook", "controller", "autoscaler", "agent"}


@pytest.mark.parametrize("process", PROCESSES, ids=lambda each: each["metadata"]["name"])
def test_a_process_is_scraped_once_at_a_port_that_it_has(process):
    [monitor] = [each for each in MONITORS if selects(each, process)]
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]

    [container] = process["spec"]["template"]["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    assert endpoint["honorLabels"] is True


def test_every_dashboard_is_loaded_by_the_sidecar():
    text = (PANELS.parent / "kustomization.yaml").read_text(encoding="utf-8")
    [config_map] = yaml.safe_load(text)["configMapGenerator"]

    loaded = {each.partition("=")[2] for each in config_map["files"]}
    assert loaded == {path.name for path in PANELS.parent.glob("*.json")}
