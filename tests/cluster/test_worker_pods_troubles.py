"""What keeps worker pods from being made, on the real API server: said, and mended."""

from __future__ import annotations

import json

import pytest

from autoscaler.api.names import COMPONENT
from tests.cluster.gpu_pools import pool_object
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
from tests.cluster.telling import is_said, is_told
from tests.cluster.webhook_process import enabled_pod, is_asked, is_passed_by
from tests.cluster.worker_image import worker_component
from tests.components.processes import LOOPBACK, free_port, until

FLAG = "--standalone-workers"


@pytest.fixture(scope="module")
def installation(control_plane, tmp_path_factory):
    with installed_with_workers(control_plane, tmp_path_factory.mktemp("installation")) as running:
        yield running


def leading(installation):
    controller = installation.leading(FLAG)
    until(lambda: is_asked(installation.plane), what="the API server asks the webhook")
    return controller


@pytest.fixture
def controller(installation):
    running = leading(installation)
    yield running
    running.process.stop()


def scale(space, count):
    space.kubectl("scale", "tfw", NAME, f"--replicas={count}").well()


def test_workers_that_come_past_the_webhook_are_deleted_and_made_when_it_is_back(
    space, control_plane, installation, controller, tmp_path
):
    with serving_pool(control_plane, tmp_path, endpoint=controller.health_url) as pool:
        space.apply(clients_of(pool, 1, **SCALED)).well()
        running(space, WORKERS, 1)
        controller.process.stop()
        nowhere = f"--webhook-url=https://{LOOPBACK}:{free_port()}"
        opening = installation.leading(FLAG, nowhere, "--webhook-open-after=1s")
        until(lambda: is_passed_by(control_plane), what="the API server asks no webhook")
        space.create(enabled_pod("unadmitted", gpupool=pool.name, tflops_request="1")).well()

        scale(space, 2)

        words = "the admission webhook is not in force"
        is_said(space, NAME, "Ready", "WebhookNotInForce", words)
        is_told(space, "TensorFusionWorkload", "WorkersNotCreated", words)
        until(lambda: len(space.pods()) == 3, what="no worker without admission is left")
        opening.process.stop()
        last = leading(installation)
        running(space, WORKERS, 2)
        assert COMPONENT not in space.get("pod", "unadmitted")["metadata"]["labels"]
        assert space.kubectl("get", "tfw", "unadmitted").code != 0
    last.process.stop()


def test_a_template_that_the_api_server_finds_invalid_is_said_in_its_words_and_mended(
    space, control_plane, controller, tmp_path
):
    with serving_pool(control_plane, tmp_path, endpoint=controller.health_url) as pool:
        space.apply(clients_of(pool, 1, **SCALED)).well()
        before = running(space, WORKERS, 1)
        bad = worker_component()
        bad["podTemplate"]["spec"]["containers"][0]["volumeMounts"] = [
            {"name": "nowhere", "mountPath": "/data"}
        ]
        patch_pool(control_plane, pool, bad)

        is_said(space, NAME, "Ready", "WorkersNotCreated", "volumeMounts", "nowhere")
        is_told(space, "TensorFusionWorkload", "WorkersNotCreated", "nowhere")
        assert set(running(space, WORKERS, 1)) == set(before)

        patch_pool(control_plane, pool, worker_component(labels={"version": "2"}))
        until(
            lambda: (
                [
                    pod["metadata"]["labels"].get("version")
                    for pod in staying(space, WORKERS).values()
                ]
                == ["2"]
            ),
            what="the worker is made from the new template",
            deadline_s=DEADLINE_S,
        )


def test_a_pool_that_is_gone_is_named_and_the_workers_stay(
    space, control_plane, controller, tmp_path
):
    with serving_pool(control_plane, tmp_path, endpoint=controller.health_url) as pool:
        space.apply(clients_of(pool, 1, **SCALED)).well()
        before = running(space, WORKERS, 1)
        spec = control_plane.kubectl("get", "gpupool", pool.name, "-o", "json").json["spec"]

        control_plane.kubectl("delete", "gpupool", pool.name).well()
        scale(space, 2)

        is_said(space, NAME, "Ready", "WorkersNotCreated", f"{pool.name!r} is no GPUPool")
        assert set(running(space, WORKERS, 1)) == set(before)
        again = pool_object(pool.name, spec.pop("nodeSelector"), **spec)
        control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(again)).well()
        assert set(before) < set(running(space, WORKERS, 2))


def patch_pool(control_plane, pool, worker):
    patch = json.dumps({"spec": {"componentConfig": {"worker": worker}}})
    control_plane.kubectl("patch", "gpupool", pool.name, "--type=merge", "-p", patch).well()
