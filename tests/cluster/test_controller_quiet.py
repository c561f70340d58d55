"""A cluster in which nothing happens costs no writes, however often it is looked at.

Only what belongs to the test is counted: namespaces of earlier tests end for a minute and longer on
the same API server, and the controller follows what goes there.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from autoscaler.api.names import API_VERSION, ServiceAccount
from tests.cluster.api_proxy import ApiProxy
from tests.cluster.controller_process import release_lease
from tests.cluster.gpu_pools import running_pool
from tests.cluster.spaces import owning
from tests.cluster.test_admission_in_force import switched
from tests.cluster.test_controller import (
    DEADLINE_S,
    ENROLLED,
    decide,
    pod_of,
    running_pods,
    workload_shows,
)
from tests.cluster.webhook_process import enabled_pod, is_asked
from tests.components.processes import until

KINDS = (
    "pods",
    "tensorfusionworkloads",
    "gpus",
    "gpupools",
    "gpuresourcequotas",
    "events.events.k8s.io",
)
NODES, GPUS_OF_A_NODE = 2, 2
ROUNDS = 6
"""In so many regular looks at everything nothing is written."""
SETTLING = 6
"""So often the rounds may begin anew: what is said of a raise follows it by some rounds."""
NAMESPACE_OF = re.compile(r"/namespaces/([^/]+)/")
EVENTS_OF_CLUSTER_OBJECTS = "default"
"""Namespace of the events that tell of a pool."""
PROFILE = {
    "autoScalingConfig": {
        "autoSetRequests": {"enable": True, "percentileForAutoRequests": "95"},
        "autoSetReplicas": {"enable": False},
        "cronScalingRules": [
            {
                "enable": True,
                "name": "day",
                "start": "0 8 * * *",
                "end": "0 18 * * *",
                "desiredResources": {"requests": {"tflops": "20"}},
            }
        ],
    },
    "gpuModel": "A100",
    "nodeAffinity": {},
}
QUOTA = {
    "total": {"requests": {"tflops": "1k", "vram": "1Ti"}, "maxWorkers": 9},
    "single": {"maxLimits": {"vram": "80Gi"}},
}


@pytest.fixture
def proxy(control_plane, tmp_path):
    with ApiProxy(control_plane, tmp_path) as proxy:
        yield proxy


@pytest.fixture
def controller(installation, proxy):
    """Run a controller whose requests pass through the proxy, which keeps them."""
    release_lease(installation.plane)
    through = f"--kubeconfig={proxy.kubeconfig(ServiceAccount.CONTROLLER)}"
    running = installation.leading("--resync=1s", through)
    until(lambda: is_asked(installation.plane), what="the API server asks the webhook")
    yield running
    running.process.stop()


@pytest.fixture
def pool(control_plane, controller, tmp_path):
    with running_pool(
        control_plane,
        tmp_path / "kubelet",
        nodes=NODES,
        gpus=GPUS_OF_A_NODE,
        tflops="100",
        vram="16Gi",
    ) as running:
        yield running


def rounds_of(controller):
    """Return how often everything was looked at: each time the GPUs after pods and workloads."""
    looks = controller.metric("controller_reconciles_total", kind="gpu")
    return looks / (NODES * GPUS_OF_A_NODE)


def writes(proxy, space):
    """Return what the controller wrote, or tried to, of the test's own objects."""
    asked = [each for each in list(proxy.asked) if each.method != "GET"]
    return [f"{each.method} {each.path}" for each in asked if is_own(each.path, space)]


def is_own(path, space):
    """Return whether a path leads to an object of the test; other tests took their GPUs away."""
    namespace = NAMESPACE_OF.search(path)
    if namespace is None:
        return path.startswith(f"/apis/{API_VERSION}/")
    return namespace[1] in {space.name, EVENTS_OF_CLUSTER_OBJECTS}


def versions(space):
    listed = space.kubectl("get", ",".join(KINDS), "-o", "json").json["items"]
    return {named(each): each["metadata"]["resourceVersion"] for each in listed}


def named(obj):
    """Return what an object is called in a failure; an event by what it tells."""
    name = f"{obj['kind']} {obj['metadata']['name']}"
    return f"{name}: {obj['reason']}: {obj['note']}" if obj["kind"] == "Event" else name


def written_within(rounds, controller, proxy, space):
    """Return what was written while everything was looked at so often, and what changed."""
    before, earlier, looked = versions(space), len(writes(proxy, space)), rounds_of(controller)
    until(
        lambda: rounds_of(controller) > looked + rounds,
        what=f"everything was looked at {rounds} times",
        deadline_s=DEADLINE_S,
    )
    written = writes(proxy, space)[earlier:]
    changed = sorted({name for name, _ in before.items() ^ versions(space).items()})
    return [*written, *(f"changed: {name}" for name in changed)]


def test_a_cluster_in_which_nothing_happens_costs_no_writes(
    space, pool, controller, proxy, control_plane
):
    for kind, name, spec in (
        ("WorkloadProfile", "profile", PROFILE),
        ("GPUResourceQuota", "quota", QUOTA),
    ):
        obj = {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        space.apply(obj).well()
    share = enabled_pod(
        "share",
        gpupool=pool.name,
        compute_percent_request="10",
        compute_percent_limit="20",
        vram_request="1Gi",
        vram_limit="2Gi",
        gpu_count="2",
    )
    enrolled = owning("Deployment", "chat", pod_of(pool, workload_profile="profile", **ENROLLED))
    with switched(control_plane, mode="apply"):
        space.apply({**enrolled, "spec": {**enrolled["spec"], "replicas": 2}}).well()
        space.apply(owning("StatefulSet", "share", share)).well()
        space.create(pod_of(pool, "alone", auto_limits="true")).well()
        running_pods(space, 4)
        more = {"tflops": "95", "vram": "15Gi"}
        decide(
            control_plane,
            space,
            "chat",
            {"epoch": 1, "sequence": 1, "requests": more, "limits": more},
        )
        workload_shows(space, "chat", lambda obj: obj["status"]["applied"]["capped"])
        for _ in range(SETTLING):
            written = written_within(ROUNDS, controller, proxy, space)
            if not written:
                break

        # A list would be shown by its beginning alone.
        assert not written, f"written in {ROUNDS} rounds: {dict(Counter(written))}"
        assert [each.split()[0] for each in versions(space)].count("TensorFusionWorkload") == 3
