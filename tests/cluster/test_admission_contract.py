"""The injection contract, by real processes in a pod exactly as it was admitted.

The test plays the controller, which places the pod, and the agent, which writes the control page
through the kubelet's pod directory.  Containers run as processes of this machine.
"""

from __future__ import annotations

import json

import pytest

from autoscaler.api.injection import INIT_CONTAINER, LIBRARY, PRELOAD, VOLUMES
from autoscaler.api.names import API_VERSION
from tests.cluster.limiter_image import CONTROLLED, COPIED, harmless_libraries, limiter_image
from tests.cluster.placement import GPU
from tests.cluster.pods import PYTHON, phase_is
from tests.cluster.webhook_process import enabled_pod

AMOUNTS = {"tflops_request": "10", "tflops_limit": "20", "vram_limit": "4Gi"}
POOL = "of-the-contract"
REPORT = """
import json, os, sys, time
lib, ctl, use = sys.argv[1:]
open(f"{use}/page", "w").close()
print(json.dumps({
    "env": dict(os.environ),
    "files": [sorted(os.listdir(folder)) for folder in (lib, ctl, use)],
    "loaded": [line.split()[-1] for line in open("/proc/self/maps") if ".so" in line],
}), flush=True)
time.sleep(600)
"""
"""A program that says what it sees, writes a page of use, and goes on."""


@pytest.fixture(scope="module")
def libraries():
    """Return the library of the limiter image, and one that a user preloads."""
    return harmless_libraries()[:2]


@pytest.fixture(scope="module")
def pool(webhook, control_plane, tmp_path_factory, libraries):
    """Make a pool whose limiter image runs on the kubelet double."""
    image = limiter_image(tmp_path_factory.mktemp("image"), libraries[0])
    spec = {"defaultUsingLocalGPU": True, "componentConfig": {"limiter": {"image": image}}}
    obj = {"apiVersion": API_VERSION, "kind": "GPUPool", "metadata": {"name": POOL}, "spec": spec}
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(obj)).well()
    yield POOL
    control_plane.kubectl("delete", "gpupool", POOL).well()


@pytest.fixture
def placed(pool, space, cluster, controller, node, libraries):
    """Create a pod that reports what it sees, and place it; its limiter waits for the agent."""
    pod = enabled_pod("chat", gpupool=pool, **AMOUNTS)
    pod["spec"]["containers"][0] |= {
        "image": PYTHON,
        "args": ["-c", REPORT, *(volume.path for volume in VOLUMES)],
        "env": [
            {"name": PRELOAD, "value": str(libraries[1])},
            {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"},
            {"name": "SHARE", "value": "$(TF_LIMIT_TFLOPS)/$(TF_GPU_PEAK_TFLOPS)"},
        ],
    }
    placed = controller.place(space.create(pod).json, node)
    cluster.logs(COPIED, "chat", INIT_CONTAINER)
    return placed


@pytest.fixture
def running(placed, cluster, kubelet, space):
    """Let the agent write the control page, and wait until the container has reported."""
    kubelet.volume(space.name, "chat", "tf-ctl").joinpath("ctl").write_bytes(b"page")
    cluster.logs("\n", "chat")
    return placed


def reported(cluster):
    return json.loads(cluster.log("chat"))


def test_the_limiter_is_installed_first_and_waits_for_the_agent(placed, cluster, kubelet, space):
    cluster.shows_column("Init:0/1", "chat")
    status = space.get("pod", "chat")["status"]
    assert "waiting" in status["containerStatuses"][0]["state"]

    kubelet.volume(space.name, "chat", "tf-ctl").joinpath("ctl").write_bytes(b"page")

    cluster.logs(CONTROLLED, "chat", INIT_CONTAINER)
    cluster.shows("pod", "chat", phase_is("Running"))


def test_the_container_sees_its_gpu_its_limits_and_the_peaks_of_the_gpu(running, cluster):
    env = reported(cluster)["env"]

    assert {key: text for key, text in env.items() if key.startswith(("NVIDIA_", "TF_"))} == {
        "NVIDIA_VISIBLE_DEVICES": GPU,
        "TF_LIMIT_TFLOPS": "20",
        "TF_LIMIT_COMPUTE_PERCENT": "",
        "TF_LIMIT_VRAM": "4Gi",
        "TF_GPU_PEAK_TFLOPS": "312",
        "TF_GPU_PEAK_VRAM": str(80 * 2**30),
    }
    assert env["SHARE"] == "20/312"


def test_the_copied_library_is_loaded_after_the_one_of_the_user(
    running, cluster, kubelet, space, libraries
):
    ours, theirs = libraries
    copy = kubelet.volume(space.name, "chat", "tf-lib") / "libtflimit.so"
    report = reported(cluster)

    assert copy.read_bytes() == ours.read_bytes()
    assert kubelet.environment(space.name, "chat")[PRELOAD] == f"{theirs}:{LIBRARY}"
    assert report["env"][PRELOAD] == f"{theirs}:{copy}"
    assert {str(copy), str(theirs)} <= set(report["loaded"])


def test_the_pages_lie_where_the_agent_finds_them(running, cluster, kubelet):
    uid = running["metadata"]["uid"]
    volumes = kubelet.root / "pods" / uid / "volumes" / "kubernetes.io~empty-dir"

    assert reported(cluster)["files"] == [["libtflimit.so"], ["ctl"], ["page"]]
    files = {path.relative_to(volumes).as_posix() for path in volumes.rglob("*") if path.is_file()}
    assert files == {"tf-lib/libtflimit.so", "tf-ctl/ctl", "tf-use/page"}


def test_a_changed_limit_reaches_the_container_at_its_next_start(
    running, cluster, kubelet, controller, space
):
    controller.annotate(running, tflops_limit="40", vram_limit="6Gi")
    assert reported(cluster)["env"]["TF_LIMIT_TFLOPS"] == "20"

    kubelet.restart_container(space.name, "chat")
    cluster.logs("\n", "chat")

    env = reported(cluster)["env"]
    assert (env["TF_LIMIT_TFLOPS"], env["TF_LIMIT_VRAM"]) == ("40", "6Gi")
    statuses = cluster.shows(
        "pod", "chat", lambda it: it["status"]["containerStatuses"][0]["restartCount"] == 1
    )["status"]
    assert statuses["initContainerStatuses"][0]["restartCount"] == 0


def test_a_limit_that_is_changed_while_the_pod_is_gated_counts_from_the_first_start(
    pool, space, cluster, kubelet, controller, node
):
    pod = space.create(enabled_pod("chat", gpupool=pool, **AMOUNTS)).json

    changed = controller.annotate(pod, vram_limit="6Gi")
    controller.place(changed, node)
    kubelet.volume(space.name, "chat", "tf-ctl").joinpath("ctl").write_bytes(b"page")

    cluster.shows("pod", "chat", phase_is("Running"))
    assert kubelet.environment(space.name, "chat")["TF_LIMIT_VRAM"] == "6Gi"
