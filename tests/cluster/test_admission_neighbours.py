"""Our webhook beside another one that changes the same pods: it is asked again, and agrees."""

from __future__ import annotations

import json

import pytest

from autoscaler.api.injection import INIT_CONTAINER, LIBRARY, PRELOAD, VOLUMES
from autoscaler.api.names import IN_FORCE, PLACEMENT_GATE
from tests.cluster.neighbours import neighbour
from tests.cluster.webhook_process import enabled_pod

SIDECAR = {"name": "proxy", "image": "proxy"}
NOTE = {"op": "add", "path": "/metadata/annotations/example.com~1note", "value": "seen"}


def in_our_container(at, value):
    return {"op": "add", "path": f"/spec/containers/0/{at}", "value": value}


CHANGES_BESIDE_OURS = {
    "an annotation": [NOTE],
    "a label": [{"op": "add", "path": "/metadata/labels/example.com~1team", "value": "a"}],
    "a container at the end": [{"op": "add", "path": "/spec/containers/-", "value": SIDECAR}],
    "an init container": [{"op": "add", "path": "/spec/initContainers/-", "value": SIDECAR}],
    "a variable at the end": [in_our_container("env/-", {"name": "PROXY", "value": "on"})],
    "a volume": [
        {"op": "add", "path": "/spec/volumes/-", "value": {"name": "certs", "emptyDir": {}}},
        in_our_container("volumeMounts/-", {"name": "certs", "mountPath": "/certs"}),
    ],
    "amounts": [in_our_container("resources", {"requests": {"cpu": "100m", "memory": "64Mi"}})],
    "a gate": [{"op": "add", "path": "/spec/schedulingGates/-", "value": {"name": "a.b/paid"}}],
}
"""What somebody else adds and leaves nothing for us to mend."""
CHANGES_OF_OURS = {
    "a container before": [{"op": "add", "path": "/spec/containers/0", "value": SIDECAR}],
    "an init container before": [{"op": "add", "path": "/spec/initContainers/0", "value": SIDECAR}],
    "a variable before": [in_our_container("env/0", {"name": "PROXY", "value": "on"})],
    "our gate removed": [{"op": "remove", "path": "/spec/schedulingGates"}],
    "our amount raised": [
        {
            "op": "add",
            "path": f"/metadata/annotations/{IN_FORCE[1].replace('/', '~1')}",
            "value": "99",
        }
    ],
    "another library": [in_our_container("env", [{"name": PRELOAD, "value": "/their.so"}])],
    "our volumes removed": [
        {"op": "remove", "path": "/spec/volumes"},
        {"op": "remove", "path": "/spec/containers/0/volumeMounts"},
    ],
    "our init container removed": [{"op": "remove", "path": "/spec/initContainers"}],
}
"""What somebody else changes of ours, or puts before it."""


@pytest.fixture(scope="module")
def neighbour_after_ours(webhook, control_plane):
    with neighbour(control_plane, "zz-neighbour") as server:
        yield server


@pytest.fixture
def after(neighbour_after_ours):
    """Yield a webhook that is asked after ours."""
    yield neighbour_after_ours
    neighbour_after_ours.patch = lambda _pod: []


def created(plane, pod):
    words = ("create", "--dry-run=server", "-o", "json", "-f", "-")
    return plane.kubectl(*words, stdin=json.dumps(pod))


def requested(**annotations):
    amounts = {"tflops_request": "10", "tflops_limit": "20", "vram_limit": "4Gi"}
    return enabled_pod("chat", is_local_gpu="true", **amounts, **annotations)


def copied(pod):
    """Return a pod as somebody would who copies a running one."""
    metadata = {key: pod["metadata"][key] for key in ("annotations", "labels", "name")}
    spec = {key: value for key, value in pod["spec"].items() if key != "tolerations"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def once(operations):
    """Return a patch that a pod gets once: who sees its own note again does nothing."""
    mark = {"op": "add", "path": "/metadata/annotations/example.com~1once", "value": ""}
    return lambda pod: (
        [] if "example.com/once" in pod["metadata"]["annotations"] else [*operations, mark]
    )


def is_whole(pod):
    """Return whether everything of ours is in a pod."""
    spec = pod["spec"]
    [main] = [each for each in spec["containers"] if each["name"] == "main"]
    env = {each["name"]: each.get("value") for each in main["env"]}
    ours = {volume.name for volume in VOLUMES}
    return (
        INIT_CONTAINER in {each["name"] for each in spec["initContainers"]}
        and ours <= {each["name"] for each in spec["volumes"]}
        and ours <= {each["name"] for each in main["volumeMounts"]}
        and LIBRARY in env[PRELOAD].split(":")
        and {"name": PLACEMENT_GATE} in spec["schedulingGates"]
        and pod["metadata"]["annotations"][IN_FORCE[1]] == "20"
    )


def answers(webhook):
    """Return how often ours was asked about pods: with a patch, and with nothing to patch."""
    return tuple(
        webhook.metric("admission_requests_total", webhook="pods", outcome=outcome)
        for outcome in ("patched", "allowed")
    )


@pytest.mark.parametrize("change", CHANGES_BESIDE_OURS)
def test_ours_is_asked_again_and_has_nothing_to_add(change, after, webhook, control_plane):
    after.patch = once(CHANGES_BESIDE_OURS[change])
    before = answers(webhook)

    pod = created(control_plane, requested()).json

    assert "example.com/once" in pod["metadata"]["annotations"]
    assert is_whole(pod)
    assert answers(webhook) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("change", CHANGES_OF_OURS)
def test_ours_is_asked_again_and_puts_right_what_was_changed(change, after, control_plane):
    after.patch = once(CHANGES_OF_OURS[change])

    pod = created(control_plane, requested()).json

    assert "example.com/once" in pod["metadata"]["annotations"]
    assert is_whole(pod)


@pytest.mark.parametrize("change", CHANGES_BESIDE_OURS | CHANGES_OF_OURS)
def test_a_copy_of_the_pod_is_admitted_as_it_is(change, after, webhook, control_plane):
    after.patch = once((CHANGES_BESIDE_OURS | CHANGES_OF_OURS)[change])
    pod = created(control_plane, requested()).json
    before = answers(webhook)

    copy = created(control_plane, copied(pod))

    assert copied(copy.json) == copied(pod)
    assert copy.err == ""
    assert answers(webhook) == (before[0], before[1] + 1)


def test_a_container_that_mounts_our_pages_is_refused_whoever_added_it(after, control_plane):
    spy = {**SIDECAR, "volumeMounts": [{"name": "tf-ctl", "mountPath": "/ctl"}]}
    after.patch = once([{"op": "add", "path": "/spec/containers/-", "value": spy}])

    ended = created(control_plane, requested())

    assert ended.code == 1
    assert (
        "spec.containers 'proxy': mounts 'tf-ctl', which is reserved for the limiter" in ended.err
    )


def test_what_a_webhook_before_ours_writes_counts_as_written_by_the_user(webhook, control_plane):
    with neighbour(control_plane, "aa-neighbour") as server:
        qos = {"op": "add", "path": "/metadata/annotations/tensor-fusion.ai~1qos", "value": "low"}
        added = {"op": "add", "path": "/spec/containers/-", "value": SIDECAR}
        server.patch = once([qos, added])
        before = answers(webhook)

        pod = created(control_plane, requested(inject_container="main")).json

        assert is_whole(pod)
        assert pod["metadata"]["annotations"]["tensor-fusion.ai/qos"] == "low"
        assert answers(webhook) == (before[0] + 1, before[1])
