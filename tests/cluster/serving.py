"""Clients of worker pods in a namespace of a test, and the installation that serves them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoscaler.api.names import COMPONENT, Component
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controller_process import Installed, installed
from tests.cluster.definitions import DEPLOY
from tests.cluster.gpu_pools import GpuPool, running_pool
from tests.cluster.spaces import Space, owning
from tests.cluster.webhook_process import enabled_pod
from tests.cluster.worker_image import ENDPOINT, client_container, worker_component
from tests.components.processes import until

DEADLINE_S = 60.0
NAME = "llm"
REMOTE = {"is_local_gpu": "false", "tflops_request": "10", "vram_request": "1Gi"}
SCALED = {**REMOTE, "replicas": "1", "auto_replicas": "true"}
"""Their count is the autoscaler's, so that it may be changed in the workload."""
STANDALONE = {**REMOTE, "is_local_gpu": "true", "no_standalone_worker_mode": "false"}
WORKERS = f"{COMPONENT}={Component.WORKER}"
CLIENTS = f"{COMPONENT}={Component.CLIENT}"
RIGHTS = DEPLOY / "kustomize" / "components" / "standalone-workers" / "rbac.yaml"


@contextmanager
def installed_with_workers(plane: ControlPlane, folder: Path) -> Iterator[Installed]:
    """Install, with the right to make pods; controllers are started with their own flag."""
    with installed(plane, folder, webhook_arguments=["--standalone-workers"]) as installation:
        plane.kubectl("apply", "-f", str(RIGHTS)).well()
        yield installation
        plane.kubectl("delete", "-f", str(RIGHTS)).well()


@contextmanager
def serving_pool(plane: ControlPlane, folder: Path, *, endpoint: str) -> Iterator[GpuPool]:
    """Have a pool of two nodes with two GPUs each; ``endpoint`` tells clients their worker."""
    component = {"worker": worker_component(), "client": {"env": {ENDPOINT: endpoint}}}
    spec = {"componentConfig": component}
    with running_pool(plane, folder, nodes=2, gpus=2, spec=spec) as pool:
        yield pool


def clients_of(pool: GpuPool, count: int, **annotations: str) -> dict[str, Any]:
    """Return a Deployment of clients."""
    pod = enabled_pod(NAME, gpupool=pool.name, **annotations)
    pod["spec"] = {"containers": [client_container()], "terminationGracePeriodSeconds": 1}
    owner = owning("Deployment", NAME, pod)
    return {**owner, "spec": {**owner["spec"], "replicas": count}}


def staying(space: Space, selector: str) -> dict[str, Any]:
    """Return pods that are not about to go, by name."""
    pods = [pod for pod in space.pods(selector) if "deletionTimestamp" not in pod["metadata"]]
    return {pod["metadata"]["name"]: pod for pod in pods}


def running(space: Space, selector: str, count: int) -> dict[str, Any]:
    """Wait until so many pods run and no other is there, and return them."""

    def found():
        pods = staying(space, selector)
        phases = [pod["status"].get("phase") for pod in pods.values()]
        return phases == ["Running"] * count and pods

    what = f"{count} pods {selector} run in {space.name}"
    return until(found, what=what, deadline_s=DEADLINE_S)


def served_by(space: Space, pool: GpuPool, count: int) -> dict[str, str]:
    """Wait until so many clients were answered by workers that are there; client to worker."""

    def found():
        workers = staying(space, WORKERS)
        answers = {}
        for name in staying(space, CLIENTS):
            log = pool.kubelet.log_file(space.name, name)
            lines = log.read_text().splitlines() if log.exists() else []
            said = [line for line in lines if line in workers]
            if said:
                answers[name] = said[-1]
        return len(answers) == count and answers

    return until(found, what=f"{count} clients are served", deadline_s=DEADLINE_S)
