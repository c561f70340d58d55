"""An object that is nested deeper than any parser takes keeps nobody from seeing all others.

Whoever may edit a namespace can store one in a kind with free fields while no webhook is asked.
"""

from __future__ import annotations

import json

import pytest

from autoscaler.api.names import API_VERSION
from autoscaler.kube.resource import WORKLOAD_PROFILES, WORKLOADS
from tests.cluster.reflecting import asking
from tests.components.processes import until

LEVELS = 3000


def deep(kind, name, levels):
    """Return the text of an object, which no encoder would write."""
    free = '{"a":' * levels + "1" + "}" * levels
    head = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}}
    return json.dumps(head)[:-1] + f', "spec": {{"poolName": "some", "nodeAffinity": {free}}}}}'


@pytest.fixture
def stored(installation, namespace):
    """Store such objects; nobody has filled the webhook's entries yet."""
    for resource in (WORKLOADS, WORKLOAD_PROFILES):
        for name, levels in (("deep", LEVELS), ("flat", 3)):
            words = ("create", "--raw", resource.path(namespace), "-f", "-")
            installation.plane.kubectl(*words, stdin=deep(resource.kind, name, levels)).well()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("resource", [WORKLOADS, WORKLOAD_PROFILES], ids=lambda each: each.plural)
def test_all_others_are_listed_and_what_can_be_read_of_it_too(resource, control_plane, namespace):
    with asking(control_plane, user_agent="tfa-test") as api:
        [(found, _)] = api.pages(resource, namespace=namespace)

    assert [(each["metadata"]["name"], each["spec"]["poolName"]) for each in found] == [
        ("deep", "some"),
        ("flat", "some"),
    ]
    assert found[1]["spec"]["nodeAffinity"] == {"a": {"a": {"a": 1}}}


@pytest.mark.usefixtures("stored")
def test_a_controller_starts_and_looks_after_all_others(installation, namespace):
    controller = installation.leading()

    def is_looked_after(name):
        words = ("get", "tfw", name, "-n", namespace, "-o", "jsonpath={.status.phase}")
        return installation.plane.kubectl(*words).out

    until(lambda: is_looked_after("flat"), what="the flat one has a status")
    until(lambda: is_looked_after("deep"), what="the deep one has a status")
    assert "Traceback" not in controller.log()
    controller.process.stop()
