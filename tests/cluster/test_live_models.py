"""Workers of one workload on two models of GPUs, each sized by what was used on its own."""

from __future__ import annotations

import pytest

from tests.cluster.live_history import Past
from tests.cluster.live_laws import assert_laws
from tests.cluster.live_scene import DEADLINE_S, scene
from tests.cluster.live_workloads import GIB, amounts_of
from tests.cluster.live_world import A100_CARD, H100_CARD, LiveNode, running_world
from tests.cluster.telling import shows
from tests.components.processes import until
from tests.components.worker_series import constant

NAMESPACE = "models"
A100, H100 = A100_CARD.name, H100_CARD.name
MIXED = "mixed-daemonset"
"""Workload of a DaemonSet, with a worker on each node."""


def past(tflops, **others):
    return Past(
        namespace=NAMESPACE,
        workload=MIXED,
        tflops=constant(tflops),
        vram_bytes=5 * GIB,
        **others,
    )


@pytest.fixture(scope="module")
def world(control_plane, tmp_path_factory):
    nodes = [
        LiveNode(name="models-a100-0", gpus=1),
        LiveNode(name="models-a100-1", gpus=1),
        LiveNode(name="models-h100", gpus=1, card=H100_CARD),
    ]
    pasts = [past(50.0), past(65.0, gpu_model=H100)]
    folder = tmp_path_factory.mktemp("models")
    with running_world(control_plane, folder, nodes=nodes, pasts=pasts) as running:
        yield running


@pytest.fixture(scope="module")
def live(world):
    with scene(world, NAMESPACE) as made:
        made.want(MIXED, tflops=40.0)
        made.space.apply(
            made.deployment("mixed", kind="DaemonSet", workload_profile="sized")
        ).well()
        yield made


@pytest.fixture(scope="module", autouse=True)
def autoscaler(world, live):
    return world.leading_autoscaler()


def test_workers_on_two_models_of_gpus_get_what_their_own_model_needs(live):
    live.has_workers(MIXED, 3)
    highest = {A100: 60.0, H100: 80.0}
    lowest = {A100: 50.0, H100: 65.0}

    stated = shows(
        live.space,
        "tfw",
        MIXED,
        lambda obj: set(obj["status"]["desiredResources"]["byGPUModel"]) == set(highest),
    )

    assert not {"requests", "limits"} & stated["status"]["desiredResources"].keys()

    def astray():
        requests = [
            (H100 if "h100" in pod["spec"]["nodeName"] else A100, amounts_of(pod)[0])
            for pod in live.workers(MIXED)
        ]
        return [(on, has) for on, has in requests if not lowest[on] < has <= highest[on]]

    until(
        lambda: not astray(),
        what="each worker has what its model needs",
        deadline_s=DEADLINE_S,
    )


def test_each_change_is_explained_from_the_record(live, autoscaler, tfa):
    ended = tfa("explain", f"{NAMESPACE}/{MIXED}", "--autoscaler", autoscaler.page_url)

    assert (ended.code, ended.err) == (0, "")
    assert MIXED in ended.out


def test_all_laws_held_all_the_time(world, live):
    assert_laws(world, live.ledger)


def test_what_was_logged_has_no_traceback(autoscaler):
    assert "Traceback" not in autoscaler.log()
