"""What belongs together comes in one file: in which orders one ``kubectl apply`` is enough.

The webhook's caches hear of an object some milliseconds after it was made, so that what a pod names
is often not in them; the webhook then looks at the API server itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count, permutations

import pytest

from autoscaler.api.names import API_VERSION
from tests.cluster.spaces import Space, annotation, owning
from tests.cluster.webhook_process import enabled_pod

ROUNDS = 3
NUMBERS = count(1)
PROFILE = {
    "apiVersion": API_VERSION,
    "kind": "WorkloadProfile",
    "metadata": {"name": "shared"},
    "spec": {
        "isLocalGPU": True,
        "resources": {"requests": {"tflops": "10"}, "limits": {"tflops": "30", "vram": "8Gi"}},
    },
}
POD = enabled_pod("bare", workload_profile="shared")
DEPLOYMENT = owning("Deployment", "chat", enabled_pod("chat", workload_profile="shared"))
FILES = {
    " ".join(obj["kind"] for obj in objects): objects
    for objects in permutations((PROFILE, POD, DEPLOYMENT))
}
PROFILE_FIRST = [name for name in FILES if name.index("Profile") < name.index("Pod")]
POD_FIRST = [name for name in FILES if name not in PROFILE_FIRST]


@pytest.fixture
def fresh(control_plane):
    """Return a maker of namespaces that nothing has happened in yet."""
    names = []

    @contextmanager
    def made():
        names.append(f"order-{next(NUMBERS)}")
        control_plane.kubectl("create", "namespace", names[-1]).well()
        yield Space(plane=control_plane, name=names[-1])

    yield made
    control_plane.kubectl("delete", "namespace", "--wait=false", *names).well()


def limits(space, count):
    """Wait for the pods and return what they have in force."""
    return {annotation(pod, "vram-limit") for pod in space.awaited_pods(count)}


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("order", PROFILE_FIRST)
def test_one_apply_is_enough_where_the_profile_stands_before_a_bare_pod(order, fresh):
    for _ in range(ROUNDS):
        with fresh() as space:
            ended = space.apply(*FILES[order])

            assert ended.code == 0, ended.err
            assert limits(space, 2) == {"8Gi"}


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("order", POD_FIRST)
def test_a_bare_pod_before_its_profile_is_admitted_by_the_next_apply(order, fresh):
    with fresh() as space:
        # kubectl waits for the answer before it sends the profile.
        first = space.apply(*FILES[order])
        assert first.code == 1
        assert "'shared' is no WorkloadProfile of namespace" in first.err
        assert limits(space, 1) == {"8Gi"}

        assert space.apply(*FILES[order]).code == 0
        assert limits(space, 2) == {"8Gi"}


def test_nothing_is_refused_for_what_was_made_just_before(webhook, fresh):
    def refused():
        return webhook.metric("admission_requests_total", webhook="pods", outcome="refused")

    before = refused()
    workload = {
        "apiVersion": API_VERSION,
        "kind": "TensorFusionWorkload",
        "metadata": {"name": "existing"},
        "spec": PROFILE["spec"],
    }
    pods = [
        enabled_pod("one", workload_profile="shared"),
        enabled_pod("two", workload="existing", generate_workload="false"),
        enabled_pod("three", workload_profile="shared", gpupool="fresh"),
    ]
    pool = {
        "apiVersion": API_VERSION,
        "kind": "GPUPool",
        "metadata": {"name": "fresh"},
        "spec": {"nodeSelector": {"kubernetes.io/os": "linux"}},
    }
    for _ in range(ROUNDS):
        with fresh() as space:
            ended = space.apply(PROFILE, workload, pool, *pods)
            space.kubectl("delete", "gpupool", "fresh").well()

            assert ended.code == 0, ended.err
            assert limits(space, 3) == {"8Gi"}
    assert refused() == before
