"""Fixtures of the tests that need admission in the cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubelet import FakeKubelet
from tests.cluster.placement import Controller, running_controller
from tests.cluster.spaces import Space
from tests.cluster.webhook_process import WebhookProcess, running_webhook


@pytest.fixture(scope="module")
def webhook(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebhookProcess]:
    """Let the API server of the run ask a webhook for the tests of one module."""
    with running_webhook(control_plane, tmp_path_factory.mktemp("webhook")) as process:
        yield process


@pytest.fixture(scope="module")
def controller(control_plane: ControlPlane) -> Iterator[Controller]:
    """Place pods for the tests of one module."""
    with running_controller(control_plane) as running:
        yield running


@pytest.fixture
def space(control_plane: ControlPlane, namespace: str) -> Space:
    """Apply and get objects in the fresh namespace of a test."""
    return Space(plane=control_plane, name=namespace)


@pytest.fixture
def node(kubelet: FakeKubelet) -> str:
    """Return the name of the node that the kubelet of a test runs."""
    [name] = kubelet.node_names
    return name
