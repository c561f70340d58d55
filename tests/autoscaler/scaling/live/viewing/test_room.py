from autoscaler.kube.store import Store
from autoscaler.scaling.live.kept import kept_of_gpu
from autoscaler.scaling.live.viewing.room import Room, RoomChange, device_of
from tests.autoscaler.scaling.live.live_objects import A100, GIB, L4, gpu

POOL = "pool"
GROUP = (POOL, A100)


class Gpus:
    """GPUs in a store, and the room that they have."""

    def __init__(self, *items):
        self.store = Store()
        self.room = Room(self.store)
        self.put(*items)
        self.room.look()

    def put(self, *items):
        for item in items:
            self.store.put(kept_of_gpu(item))

    def most_free(self, gpu_model=A100):
        return dict(self.room.group(POOL, gpu_model).most_free)


def test_the_most_that_is_free_is_that_of_one_gpu_for_each_resource():
    gpus = Gpus(gpu("GPU-1", free=("50", "10Gi")), gpu("GPU-2", free=("20", "40Gi")))
    assert gpus.most_free() == {"tflops": 50.0, "vram_bytes": 40 * GIB}


def test_gpus_are_told_apart_by_pool_and_model():
    gpus = Gpus(
        gpu("GPU-1", free=("50", "10Gi")),
        gpu("GPU-2", free=("90", "20Gi"), gpu_model=L4),
        gpu("GPU-3", free=("95", "70Gi"), pool="other"),
    )
    assert gpus.most_free() == {"tflops": 50.0, "vram_bytes": 10 * GIB}
    assert gpus.most_free(L4) == {"tflops": 90.0, "vram_bytes": 20 * GIB}


def test_gpus_on_which_no_worker_is_placed_have_no_room():
    given_away = gpu("GPU-2", free=("90", "70Gi"))
    given_away["status"]["usedBy"] = "nvidia-device-plugin"
    gpus = Gpus(gpu("GPU-1", free=("90", "70Gi"), phase="Pending"), given_away)
    assert gpus.most_free() == {}
    assert dict(gpus.room.group(*GROUP).card) == {"tflops": 100.0, "vram_bytes": 80 * GIB}


def test_until_the_controller_says_what_is_free_nothing_is_known():
    assert Gpus(gpu(free=None)).most_free() == {}


def test_a_capacity_that_cannot_be_read_is_absent():
    device = device_of(kept_of_gpu(gpu(tflops="many")))
    assert dict(device.capacity) == {"vram_bytes": 80 * GIB}
    assert dict(device_of({"metadata": {"name": "g"}, "status": {"capacity": 3}}).capacity) == {}


def test_a_look_tells_what_matters():
    gpus = Gpus(gpu("GPU-1", free=("50", "10Gi")), gpu("GPU-2", free=("20", "5Gi")))
    gpus.put(gpu("GPU-2", free=("30", "5Gi")))
    assert gpus.room.look() == RoomChange(devices=frozenset({"gpu-2"}))
    gpus.put(gpu("GPU-2", free=("60", "5Gi")))
    assert gpus.room.look() == RoomChange(
        devices=frozenset({"gpu-2"}), groups=frozenset({(POOL, A100)})
    )
    gpus.put(gpu("GPU-2", free=("60", "5Gi"), index=7))
    assert gpus.room.look() == RoomChange()


def test_a_gpu_that_is_gone_takes_its_room_along():
    gpus = Gpus(gpu("GPU-1"))
    gpus.store.remove(gpus.store.get(None, "gpu-1"))
    assert gpus.room.look() == RoomChange(
        devices=frozenset({"gpu-1"}), groups=frozenset({(POOL, A100)})
    )
    assert gpus.room.device("gpu-1") is None
    assert gpus.room.group(*GROUP) is None


def test_a_gpu_that_changes_its_pool_changes_both():
    gpus = Gpus(gpu("GPU-1"), gpu("GPU-2"))
    gpus.put(gpu("GPU-2", pool="other", free=("99", "40Gi")))
    assert gpus.room.look().groups == {("other", A100)}
    assert gpus.room.group("other", A100).most_free["tflops"] == 99.0


def test_a_name_means_models_of_the_pool_by_full_short_and_other_names():
    gpus = Gpus(
        gpu("GPU-1", gpu_model="NVIDIA A100-PCIE-40GB", model="A100"),
        gpu("GPU-2", gpu_model=L4, model="L4"),
    )
    assert gpus.room.models_in(POOL, "a100") == ("NVIDIA A100-PCIE-40GB",)
    assert gpus.room.models_in(POOL, "A100_PCIe_40G") == ("NVIDIA A100-PCIE-40GB",)
    assert gpus.room.models_in(POOL, "nvidia l4") == (L4,)
    assert gpus.room.models_in(POOL, "") == ("NVIDIA A100-PCIE-40GB", L4)
    assert gpus.room.models_in(POOL, "H100") == ()
    assert gpus.room.models_in("other", "") == ()
