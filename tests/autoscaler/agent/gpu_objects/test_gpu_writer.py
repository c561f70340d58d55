"""Objects that follow the devices of a node."""

import pytest

from autoscaler.agent.devices.node_devices import Inventory
from autoscaler.agent.gpu_objects.gpu_object import gpu_name
from autoscaler.agent.gpu_objects.gpu_writer import GONE, GpuObjectError, GpuWriter
from autoscaler.agent.pod_resources.allocation import Allocation
from autoscaler.agent.pod_resources.whole_gpus import WholeGpus
from autoscaler.errors import ForbiddenError, NotFoundError
from autoscaler.kube.resource import GPUS, NODES
from autoscaler.kube.store import Store
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.kube.writer import Writer
from tests.autoscaler.agent.gpu_objects.devices import NODE, device, uuid
from tests.autoscaler.api_double import ApiDouble


class Cluster:
    """An API server with one node, and the writer of its agent."""

    def __init__(self):
        self.api = ApiDouble()
        self.api.add(NODES, {"metadata": {"name": NODE}})
        self.whole = WholeGpus()
        self.store = Store()
        self.writer = GpuWriter(
            NODE,
            self.api,
            Writer(self.api, WriteBudget(1000), is_leader=lambda: True),
            self.store,
            whole_gpus=lambda: self.whole,
        )

    def tell(self, *devices, problems=(), lost=()):
        inventory = Inventory(
            devices=devices,
            problems=problems,
            lost=tuple(lost),
        )
        try:
            self.writer.tell(inventory)
        finally:
            self.show()

    def show(self):
        self.store.replace(self.api.all(GPUS))

    def gpu(self, number=1):
        return self.api.find(GPUS, "", gpu_name(device(number)))

    def status(self, number=1):
        return self.gpu(number)["status"]

    def edit(self, number, change):
        self.api.edit(GPUS, "", gpu_name(device(number)), change)


@pytest.fixture
def cluster():
    return Cluster()


def test_devices_get_objects(cluster):
    cluster.tell(device(1), device(2))
    assert [cluster.status(number)["uuid"] for number in (1, 2)] == [uuid(1), uuid(2)]
    [owner] = cluster.gpu()["metadata"]["ownerReferences"]
    assert owner["uid"] == cluster.api.find(NODES, "", NODE)["metadata"]["uid"]


def test_what_has_not_changed_is_not_written(cluster):
    cluster.tell(device(1), device(2))
    cluster.api.requests.clear()
    cluster.tell(device(1), device(2))
    assert cluster.api.writes() == []


def test_what_has_changed_is_written(cluster):
    cluster.tell(device(1))
    cluster.tell(device(1, tflops=300.0))
    assert cluster.status()["capacity"]["tflops"] == "300"


def test_what_the_controller_says_stays(cluster):
    cluster.tell(device(1))
    cluster.edit(1, lambda gpu: gpu["status"].update(usedBy="tensor-fusion"))
    cluster.edit(1, lambda gpu: gpu["metadata"]["labels"].update({"tensor-fusion.ai/gpupool": "a"}))
    cluster.show()
    cluster.tell(device(1, tflops=300.0))
    assert cluster.status()["usedBy"] == "tensor-fusion"
    assert cluster.gpu()["metadata"]["labels"]["tensor-fusion.ai/gpupool"] == "a"


def test_the_hostname_is_that_of_the_node(cluster):
    cluster.api.edit(
        NODES,
        "",
        NODE,
        lambda node: node["metadata"].update(labels={"kubernetes.io/hostname": "host"}),
    )
    cluster.tell(device(1))
    assert cluster.status()["nodeSelector"] == {"kubernetes.io/hostname": "host"}


def test_a_lost_device_is_told_and_its_object_stays(cluster):
    cluster.tell(device(1), device(2))
    cluster.tell(device(2), lost=[device(1)])
    assert (cluster.status(1)["phase"], cluster.status(1)["message"]) == ("Unknown", GONE)
    assert cluster.status(1)["capacity"] == {"tflops": "312", "vram": "79Gi"}
    assert cluster.status(2)["phase"] == "Running"


def test_an_object_of_before_the_agent_started_is_told_as_lost_too(cluster):
    cluster.tell(device(1))
    cluster.tell(device(2), lost=[])
    assert (cluster.status(1)["phase"], cluster.status(2)["phase"]) == ("Unknown", "Running")


def test_without_a_driver_all_are_told_with_its_problem(cluster):
    cluster.tell(device(1), device(2))
    cluster.tell(problems=("Driver Not Loaded",))
    assert [cluster.status(number)["phase"] for number in (1, 2)] == ["Unknown"] * 2
    assert cluster.status(1)["message"] == "Driver Not Loaded"


def test_a_device_that_comes_back_is_running_again(cluster):
    cluster.tell(device(1))
    cluster.tell(problems=("Driver Not Loaded",))
    cluster.tell(device(1))
    assert cluster.status()["phase"] == "Running"
    assert "message" not in cluster.status()


def test_a_gpu_that_a_pod_holds_whole_is_told(cluster):
    held = Allocation(resource="nvidia.com/gpu", device_ids=(uuid(1),), pod="n/a")
    cluster.whole = WholeGpus(allocations=(held,))
    cluster.tell(device(1), device(2))
    assert [cluster.status(number)["phase"] for number in (1, 2)] == ["Pending", "Running"]
    cluster.whole = WholeGpus()
    cluster.tell(device(1), device(2))
    assert cluster.status(1)["phase"] == "Running"


def test_a_kubelet_that_tells_nothing_does_not_free_what_it_gave_away(cluster):
    held = Allocation(resource="nvidia.com/gpu", device_ids=(uuid(1),), pod="n/a")
    cluster.whole = WholeGpus(allocations=(held,))
    cluster.tell(device(1))
    cluster.whole = WholeGpus(problem="no answer")
    cluster.tell(device(1))
    assert cluster.status()["phase"] == "Pending"


def test_an_object_that_the_cache_does_not_show_yet_is_found(cluster):
    cluster.tell(device(1))
    cluster.store.replace([])
    cluster.tell(device(1, tflops=300.0))
    assert cluster.status()["capacity"]["tflops"] == "300"


def test_a_change_of_the_controller_in_between_is_read_and_kept(cluster):
    cluster.tell(device(1))
    cluster.edit(1, lambda gpu: gpu["status"].update(usedBy="tensor-fusion"))
    cluster.tell(device(1, tflops=300.0))
    assert cluster.status()["capacity"]["tflops"] == "300"
    assert cluster.status()["usedBy"] == "tensor-fusion"


def test_an_object_that_was_deleted_is_made_again(cluster):
    cluster.tell(device(1))
    cluster.api.remove(GPUS, "", gpu_name(device(1)))
    with pytest.raises(GpuObjectError, match="not found"):
        cluster.tell(device(1, tflops=300.0))
    cluster.tell(device(1, tflops=300.0))
    assert cluster.status()["phase"] == "Running"


def test_an_object_of_another_node_is_left_alone_and_told(cluster):
    cluster.tell(device(1))
    labels = {"tensor-fusion.ai/managed-by": "other"}
    cluster.edit(1, lambda gpu: gpu["metadata"].update(labels=labels))
    cluster.store.replace([])
    before = cluster.gpu()
    with pytest.raises(GpuObjectError, match="delete it if the card was put into another machine"):
        cluster.tell(device(1, tflops=300.0), device(2))
    assert cluster.gpu() == before
    assert cluster.status(2)["phase"] == "Running"


def test_a_gpu_that_cannot_be_written_is_named_and_the_others_are_written(cluster):
    def refuse(method, path):
        if method != "GET" and gpu_name(device(1)) in path:
            raise ForbiddenError("not allowed", http_status=403)

    cluster.api.before = refuse
    with pytest.raises(GpuObjectError, match=f"GPU {gpu_name(device(1))}: not allowed"):
        cluster.tell(device(1), device(2))
    assert cluster.status(2)["phase"] == "Running"


def test_a_node_that_is_not_there_is_an_error(cluster):
    cluster.api.remove(NODES, "", NODE)
    with pytest.raises(NotFoundError):
        cluster.tell(device(1))
