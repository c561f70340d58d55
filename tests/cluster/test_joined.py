"""Everything joined: what is decided for a workload changes how much of a card its process gets.

Pods are as the real webhook admits them and are placed by the real controller, the limiter is the
one that is shipped, in processes on a fake driver, and ``tfa agent`` finds its GPUs by a fake NVML.
What a process got is judged by the ledger of its card.
"""

from __future__ import annotations

import json

import pytest

from autoscaler.api.injection import INIT_CONTAINER
from autoscaler.api.names import POOL_LABEL
from tests.cluster.agent_nodes import agent_nodes
from tests.cluster.controller_process import installed
from tests.cluster.gpu_pools import POOL_OF_NODE, pool_object
from tests.cluster.joined_pods import DEADLINE_S, joined_pods
from tests.cluster.node_cgroups import own_cgroup
from tests.cluster.real_limiter import real_limiter_image
from tests.cluster.spaces import annotation
from tests.cluster.telling import is_told, shows
from tests.cluster.test_admission_in_force import switched
from tests.cluster.test_controller import decide
from tests.cluster.webhook_process import is_asked
from tests.components.lacking import lacks
from tests.components.processes import until
from tests.fakes.gpu.cards import GIB, CardTraits

NODE, POOL = "joined-0", "joined"
H100_TFLOPS = 989.4
LIMIT_SHARE = 200 / H100_TFLOPS
TFLOPS = "tf_worker_compute_tflops"
DENIED = "tf_worker_vram_denied_total"
DEVICE_SECONDS = "tf_worker_device_seconds_total"


@pytest.fixture(scope="module")
def nodes(control_plane, tmp_path_factory):
    """Have an installation in mode ``apply``, and a node with two cards."""
    folder = tmp_path_factory.mktemp("joined")
    image = f"--limiter-image={real_limiter_image(folder / 'image')}"
    labels = {POOL_OF_NODE: POOL}
    spec = {"placement": {"mode": "LowLoadFirst"}, "defaultUsingLocalGPU": True}
    with installed(control_plane, folder, webhook_arguments=[image]) as installation:
        installation.leading()
        until(lambda: is_asked(control_plane), what="the API server asks the webhook")
        pool = json.dumps(pool_object(POOL, labels, **spec))
        control_plane.kubectl("apply", "-f", "-", stdin=pool).well()
        cards = {NODE: [CardTraits(), CardTraits()]}
        with (
            switched(control_plane, mode="apply"),
            agent_nodes(control_plane, folder, cards, labels=labels) as running,
        ):
            yield running
        control_plane.kubectl("delete", "gpupool", POOL).well()


@pytest.fixture
def pods(nodes, namespace):
    with joined_pods(nodes, namespace, POOL) as running:
        yield running


def decided(tflops_limit, vram_limit="4Gi"):
    return {
        "epoch": 1,
        "sequence": 1,
        "requests": {"tflops": "100", "vram": "2Gi"},
        "limits": {"tflops": tflops_limit, "vram": vram_limit},
    }


def decide_for(pods, name, decision):
    """State a decision for a workload once the controller has made it, as the autoscaler does."""
    shows(pods.space, "tfw", name, lambda it: it["status"]["readyWorkers"] == 1)
    decide(pods.nodes.plane, pods.space, name, decision)


def test_pods_are_placed_on_the_gpus_that_the_agent_tells(pods, control_plane):
    pod = pods.run_greedy("chat")

    uuid = annotation(pod, "gpu-ids")
    gpu = control_plane.kubectl("get", "gpu", uuid.lower(), "-o", "json").json
    assert gpu["status"]["uuid"] == uuid
    assert gpu["metadata"]["labels"][POOL_LABEL] == POOL
    assert annotation(pod, "gpu-peak-tflops") == str(H100_TFLOPS)
    [limiter] = pod["status"]["initContainerStatuses"]
    assert (limiter["name"], limiter["state"]["terminated"]["exitCode"]) == (INIT_CONTAINER, 0)


def test_a_process_gets_the_share_that_its_limit_says_and_the_agent_shows_it(pods):
    pod = pods.run_greedy("chat")

    pods.has_share(pod, LIMIT_SHARE)

    assert pods.shown("tf_worker_tflops_limit", pod) == 200.0
    assert pods.shown("tf_worker_compute_throttled_seconds_total", pod) > 0.0
    until(
        lambda: 150.0 < pods.shown(TFLOPS, pod) < 220.0,
        what="the agent shows what the process used",
        deadline_s=DEADLINE_S,
    )
    assert pods.shown("tf_worker_unaccounted_percentage", pod) == 0.0


def test_a_decision_changes_the_share_of_a_process_that_runs(pods):
    pod = pods.run_greedy("chat")
    pods.has_share(pod, LIMIT_SHARE)

    decide_for(pods, "chat", decided("600"))

    pods.has_share(pod, 600 / H100_TFLOPS)
    after = pods.space.get("pod", "chat")
    assert annotation(after, "tflops-limit") == "600"
    assert after["status"]["containerStatuses"][0]["restartCount"] == 0


def test_memory_beyond_the_limit_is_refused_and_counted_until_the_limit_is_raised(pods):
    pod = pods.run_worker("chat")
    pods.order(pod, duty=0.05, vram_bytes=3 * GIB)
    assert pods.comes_to_show("tf_worker_memory_bytes", pod, above=2.9 * GIB) == 3 * GIB
    assert pods.shown(DENIED, pod) == 0.0

    pods.order(pod, duty=0.05, vram_bytes=6 * GIB)

    pods.comes_to_show(DENIED, pod, above=0.0)
    assert pods.shown("tf_worker_vram_denied_bytes_total", pod) >= 3 * GIB
    assert pods.card(pod).held_bytes() == 3 * GIB
    decide_for(pods, "chat", decided("200", "8Gi"))
    assert pods.comes_to_show("tf_worker_memory_bytes", pod, above=5.9 * GIB) == 6 * GIB
    assert pods.shown("tf_worker_memory_over_limit_bytes", pod) == 0.0


def test_without_an_agent_limits_stay_and_the_next_one_goes_on_where_it_was(nodes, pods):
    pod = pods.run_greedy("chat")
    pods.has_share(pod, LIMIT_SHARE)
    counted_s = pods.comes_to_show(DEVICE_SECONDS, pod, above=0.0)
    page = pods.volume(pod, "tf-ctl") / "ctl"
    before = page.stat().st_ino

    nodes.kill(NODE)
    pods.has_share(pod, LIMIT_SHARE)
    nodes.start(NODE)

    assert pods.comes_to_show(DEVICE_SECONDS, pod, above=0.0) > counted_s
    pods.has_share(pod, LIMIT_SHARE)
    assert page.stat().st_ino == before
    decide_for(pods, "chat", decided("400"))
    pods.has_share(pod, 400 / H100_TFLOPS)


def test_two_pods_have_their_own_cards_and_see_no_other(pods):
    one, other = pods.run_greedy("one"), pods.run_worker("other")
    assert pods.card(one).uuid != pods.card(other).uuid

    pods.order(other, duty=0.05, vram_bytes=2 * GIB)

    pods.comes_to_show("tf_worker_memory_bytes", other, above=1.9 * GIB)
    pods.has_share(other, 0.05)
    pods.has_share(one, LIMIT_SHARE)


def test_a_process_without_its_limiter_is_told(pods):
    if own_cgroup() is None:
        lacks("control groups cannot be made here, and a hint from a process is no evidence")

    pod = pods.run_greedy("chat", command=("env", "-u", "LD_PRELOAD"))

    pods.comes_to_show("tf_worker_unaccounted_percentage", pod, above=50.0)
    is_told(pods.space, "Pod", "LimiterBypassed", "chat")
