"""A controller ends within its grace period, also while the API server answers nothing."""

from __future__ import annotations

import pytest

from autoscaler.api.names import ServiceAccount
from tests.cluster.api_proxy import ApiProxy
from tests.cluster.controller_process import release_lease
from tests.components.processes import until

GRACE_S = 45.0
"""Of the shipped Deployment."""


@pytest.fixture
def proxy(control_plane, tmp_path):
    with ApiProxy(control_plane, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def through(proxy):
    """Return the argument by which a controller asks through the proxy."""
    return f"--kubeconfig={proxy.kubeconfig(ServiceAccount.CONTROLLER)}"


def end(controller):
    controller.process.ask_to_end()
    until(lambda: not controller.process.is_running, what="it has ended", deadline_s=GRACE_S)


def test_a_leader_ends_while_the_api_server_is_silent(installation, proxy, through):
    release_lease(installation.plane)
    leader = installation.leading(through)
    proxy.freeze()
    end(leader)

    assert "Traceback" not in leader.log()


def test_a_standby_ends_while_the_api_server_is_silent_and_the_leader_goes_on(
    installation, proxy, through
):
    release_lease(installation.plane)
    leader = installation.leading()
    standby = installation.started(through)
    proxy.freeze()
    end(standby)

    assert "Traceback" not in standby.log()
    assert leader.is_leader
    leader.process.stop()


def test_one_that_could_not_read_the_cluster_yet_ends(installation, proxy, through):
    proxy.freeze()
    controller = installation.start(through)
    until(lambda: "not ready" in controller.log(), what="it says what it waits for")
    end(controller)

    assert "Traceback" not in controller.log()
