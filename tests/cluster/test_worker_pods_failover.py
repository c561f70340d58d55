"""Controllers that are killed while they make and delete worker pods."""

from __future__ import annotations

import pytest

from tests.cluster.controller_process import release_lease
from tests.cluster.serving import (
    DEADLINE_S,
    NAME,
    SCALED,
    WORKERS,
    clients_of,
    installed_with_workers,
    running,
    serving_pool,
    staying,
)
from tests.cluster.webhook_process import is_asked
from tests.components.processes import until

FLAG = "--standalone-workers"


@pytest.fixture(scope="module")
def installation(control_plane, tmp_path_factory):
    with installed_with_workers(control_plane, tmp_path_factory.mktemp("installation")) as running:
        yield running


def names(space):
    return set(staying(space, WORKERS))


def wait_for_another(space, before):
    until(lambda: names(space) != before, what="workers change", deadline_s=DEADLINE_S)


def test_no_worker_is_made_twice_however_often_the_controller_is_killed(
    control_plane, installation, space, tmp_path
):
    controller = installation.leading(FLAG)
    until(lambda: is_asked(control_plane), what="the API server asks the webhook")
    with serving_pool(control_plane, tmp_path, endpoint=controller.health_url) as pool:
        space.apply(clients_of(pool, 1, **SCALED)).well()
        running(space, WORKERS, 1)
        for count in (6, 2, 7):
            before = names(space)
            space.kubectl("scale", "tfw", NAME, f"--replicas={count}").well()
            wait_for_another(space, before)
            controller.process.kill()
            release_lease(control_plane)
            controller = installation.leading(FLAG)
            assert len(running(space, WORKERS, count)) == count
