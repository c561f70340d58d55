"""Fixtures of the tests that need admission in the cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.webhook_process import WebhookProcess, running_webhook


@pytest.fixture(scope="module")
def webhook(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebhookProcess]:
    """Let the API server of the run ask a webhook for the tests of one module."""
    with running_webhook(control_plane, tmp_path_factory.mktemp("webhook")) as process:
        yield process
