"""Two webhook processes and their certificate are replaced while pods are admitted: none fails.

Processes are replaced one after the other, so that connections of the API server end at any time
and new ones verify the certificate of that moment.
"""

from __future__ import annotations

import pytest

from autoscaler.kube.rotation_action import Action
from tests.cluster.admission_load import load
from tests.cluster.webhook_fleet import running_fleet
from tests.components.processes import until

ONE_ROTATION = (Action.STAGE, Action.SWITCH, Action.DROP)
ROTATION_DEADLINE_S = 180.0


@pytest.fixture(scope="module")
def fleet(control_plane, tmp_path_factory):
    with running_fleet(control_plane, tmp_path_factory.mktemp("fleet")) as running:
        yield running


def rotations(keeper):
    """Return how many rotations are through since the keeper was made."""
    steps = keeper.snapshot().steps
    return min(steps.get(action, 0) for action in ONE_ROTATION)


def is_through(keeper, before):
    """Wait until one rotation more is through."""
    until(
        lambda: rotations(keeper) > before,
        what="a rotation is through",
        deadline_s=ROTATION_DEADLINE_S,
    )


def test_a_rotation_of_the_certificate_fails_no_admission(fleet, control_plane):
    before = rotations(fleet.keeper)
    with load(control_plane) as running, fleet.keeping() as keeper:
        is_through(keeper, before)

    assert dict(running.failures) == {}
    assert keeper.snapshot().verified_endpoints == len(fleet.members)


def test_processes_that_are_replaced_while_the_certificate_rotates_fail_no_admission(
    fleet, control_plane
):
    before, old = rotations(fleet.keeper), fleet.members
    with load(control_plane) as running, fleet.keeping() as keeper:
        for member in old:
            fleet.replace(member)
            running.goes_on()
        is_through(keeper, before)

    assert dict(running.failures) == {}
    assert len(fleet.members) == len(old)
    assert set(fleet.members).isdisjoint(old)
    assert all("Traceback" not in member.process.log() for member in fleet.members)
