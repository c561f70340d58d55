"""Where the GPU of a pod is, and what that makes of the pod."""

import pytest

from autoscaler.api.names import GPU_IDS, PLACEMENT_GATE, PREFIX
from autoscaler.webhook.snapshot import Installation
from tests.autoscaler.webhook.asking import AMOUNTS, admitted, asked, asking, refused
from tests.autoscaler.webhook.clusters import (
    LIMITER_IMAGE,
    cluster,
    pool,
    pool_with_workers,
    profile,
    workload,
)

WITH_WORKERS = Installation(
    limiter_image=LIMITER_IMAGE,
    connection_endpoint="http://controller:8080/",
    has_standalone_workers=True,
)


def offering(*objects, **spec):
    """Return a cluster whose default pool and installation offer worker pods."""
    return cluster(pool_with_workers(**spec), *objects, installation=WITH_WORKERS)


def mode_of(snapshot, **values):
    return admitted(asking(**AMOUNTS, **values), snapshot).annotations["mode"]


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        ({}, "remote"),
        ({"is_local_gpu": "false"}, "remote"),
        ({"is_local_gpu": "true"}, "standalone"),
        ({"is_local_gpu": "true", "no_standalone_worker_mode": "false"}, "standalone"),
        ({"is_local_gpu": "true", "no_standalone_worker_mode": "true"}, "embedded"),
        ({"is_local_gpu": "true", "standalone_worker_mode": "true"}, "standalone"),
        ({"is_local_gpu": "true", "standalone_worker_mode": "false"}, "embedded"),
        ({"no_standalone_worker_mode": "true"}, "remote"),
    ],
)
def test_a_pool_with_workers_offers_all_modes(values, mode):
    assert mode_of(offering(), **values) == mode


@pytest.mark.parametrize(
    "values", [{}, {"is_local_gpu": "true"}, {"standalone_worker_mode": "true"}]
)
def test_a_pool_without_workers_offers_embedded_only(values):
    assert mode_of(cluster(), **values) == "embedded"


def test_an_installation_without_workers_is_like_a_pool_without():
    snapshot = cluster(pool_with_workers())
    assert mode_of(snapshot) == "embedded"
    error = refused(asking(is_local_gpu="false", **AMOUNTS), snapshot)
    assert "this installation runs no worker pods (--standalone-workers is off)" in error


def test_an_unset_locality_that_becomes_local_is_told():
    (warning,) = admitted(asking(**AMOUNTS)).warnings
    assert warning == (
        f"annotation {PREFIX}is-local-gpu: not set, and pool default-pool offers no remote GPUs, "
        "because it names no worker image (spec.componentConfig.worker.image); the pod holds its "
        "GPU itself, as with 'true'"
    )


def test_a_locality_that_cannot_be_read_is_not_called_unset():
    found = asked(asking(is_local_gpu="yes", **AMOUNTS))

    assert "is-local-gpu: 'yes' is not valid" in found.error
    assert found.warnings == ()


def test_no_stand_alone_worker_with_a_remote_gpu_is_told():
    found = admitted(asking(no_standalone_worker_mode="true", **AMOUNTS), offering())
    (warning,) = found.warnings
    assert warning == (
        f"{PREFIX}no-standalone-worker-mode: has no effect, because the GPU is not local; set "
        f"{PREFIX}is-local-gpu: 'true' to embed the worker"
    )


def test_a_worker_pod_that_is_not_offered_is_told():
    found = admitted(asking(is_local_gpu="true", standalone_worker_mode="true", **AMOUNTS))
    assert found.warnings[0].startswith(
        f"{PREFIX}standalone-worker-mode: has no effect on pool default-pool, because it names no"
    )


@pytest.mark.parametrize("value", ["true", "false"])
def test_both_spellings_that_contradict_are_refused(value):
    error = refused(
        asking(no_standalone_worker_mode=value, standalone_worker_mode=value, **AMOUNTS)
    )
    assert error.endswith(f"both '{value}', and they are opposites; allowed: one of the two")


def test_locality_of_annotation_then_workload_then_profile_then_pool():
    local = {"isLocalGPU": True, "noStandaloneWorkerMode": True}
    snapshot = offering(profile(**local), workload("job", isLocalGPU=False))
    assert mode_of(snapshot, workload_profile="small") == "embedded"
    joined = {"workload_profile": "small", "generate_workload": "false"}
    assert mode_of(snapshot, **joined) == "remote"
    assert mode_of(snapshot, is_local_gpu="true", **joined) == "embedded"
    assert mode_of(offering(defaultUsingLocalGPU=True)) == "standalone"


def test_an_annotation_wins_over_the_opposite_of_the_profile():
    snapshot = offering(profile(isLocalGPU=True, standaloneWorkerMode=True))
    assert mode_of(snapshot, workload_profile="small") == "standalone"
    values = {"workload_profile": "small", "no_standalone_worker_mode": "true"}
    assert mode_of(snapshot, **values) == "embedded"


def test_a_client_of_a_remote_worker_gets_its_connection_and_no_limiter():
    found = admitted(asking(**AMOUNTS), offering())
    assert (found.labels["component"], found.annotations["selected-workload"]) == ("client", "job")
    assert {"schedulingGates", "initContainers", "volumes"} & found.pod["spec"].keys() == set()
    name, namespace, url = found.pod["spec"]["containers"][0]["env"]
    assert [name["name"], namespace["name"]] == [
        "TENSOR_FUSION_CONNECTION_NAME",
        "TENSOR_FUSION_CONNECTION_NAMESPACE",
    ]
    assert name["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert namespace["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
    assert url == {
        "name": "TENSOR_FUSION_OPERATOR_GET_CONNECTION_URL",
        "value": "http://controller:8080/api/connection?name=$(TENSOR_FUSION_CONNECTION_NAME)"
        "&namespace=$(TENSOR_FUSION_CONNECTION_NAMESPACE)",
    }


def test_a_client_gets_the_environment_of_the_pool():
    parts = {"worker": {"image": "w"}, "client": {"env": {"LOG": "debug"}}}
    found = admitted(asking(**AMOUNTS), offering(componentConfig=parts))
    assert {"name": "LOG", "value": "debug"} in found.pod["spec"]["containers"][0]["env"]


def test_a_client_beside_its_worker_waits_for_the_worker_s_node():
    found = admitted(asking(is_local_gpu="true", **AMOUNTS), offering())
    assert found.labels["component"] == "client"
    assert found.pod["spec"]["schedulingGates"] == [{"name": PLACEMENT_GATE}]


def test_an_embedded_worker_sees_its_gpus_by_annotation():
    env = admitted(asking(**AMOUNTS)).pod["spec"]["containers"][0]["env"]
    (devices,) = [entry for entry in env if entry["name"] == "NVIDIA_VISIBLE_DEVICES"]
    assert GPU_IDS in devices["valueFrom"]["fieldRef"]["fieldPath"]


def test_isolation_of_annotation_then_profile():
    snapshot = cluster(profile(isolation="shared"))
    found = admitted(asking(workload_profile="small", **AMOUNTS), snapshot)
    assert found.annotations["isolation"] == "shared"
    found = admitted(asking(workload_profile="small", isolation="soft", **AMOUNTS), snapshot)
    assert found.annotations["isolation"] == "soft"
    assert found.pod["spec"]["initContainers"]


def test_fields_of_a_profile_that_are_not_acted_on_are_named():
    snapshot = cluster(pool(defaultUsingLocalGPU=True), profile(sidecarWorker=True))
    found = admitted(asking(workload_profile="small", **AMOUNTS), snapshot)
    assert found.warnings == ("profile small spec.sidecarWorker: it is not acted on",)
