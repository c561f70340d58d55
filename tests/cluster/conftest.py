"""Fixtures of the tests that need admission in the cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.controller_process import ControllerProcess, Installed, installed
from tests.cluster.kubelet import FakeKubelet
from tests.cluster.placement import Controller, running_controller
from tests.cluster.spaces import Space
from tests.cluster.webhook_process import WebhookProcess, is_asked, running_webhook
from tests.components.processes import until


@pytest.fixture(scope="module")
def webhook(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebhookProcess]:
    """Let the API server of the run ask a webhook for the tests of one module."""
    with running_webhook(control_plane, tmp_path_factory.mktemp("webhook")) as process:
        yield process


@pytest.fixture(scope="module")
def controller(control_plane: ControlPlane) -> Iterator[Controller]:
    """Place pods for the tests of one module, which has ``webhook`` too: it installs the rights."""
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


@pytest.fixture(scope="module")
def installation(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """Install everything and run a webhook; the tests of the module start controllers."""
    with installed(control_plane, tmp_path_factory.mktemp("installation")) as running:
        yield running


@pytest.fixture(scope="module")
def controller_process(installation: Installed) -> ControllerProcess:
    """Run a controller that leads, until the end of the module."""
    process = installation.leading()
    until(lambda: is_asked(installation.plane), what="the API server asks the webhook")
    return process
