"""What devices are found, and what is known of each."""

from dataclasses import replace

import pytest

from autoscaler.agent.devices.device import Device
from autoscaler.agent.devices.discovery import discover
from autoscaler.agent.devices.nvml import Memory, NvmlError
from recommender.gpu_models import GpuModel
from tests.autoscaler.agent.devices.nvml_double import GIB, Card, Instance, started, uuid


def devices(nvml, **options):
    return [each.device for each in discover(nvml, **options).found]


def instance(number, profile="1g.10gb", multiprocessors=16, vram_gib=10):
    return Instance(
        uuid=uuid(number, "MIG"),
        name=f"NVIDIA H100 80GB HBM3 MIG {profile}",
        multiprocessors=multiprocessors,
        memory=Memory(total_bytes=vram_gib * GIB, used_bytes=0),
    )


def test_a_device_is_described_by_its_driver_and_the_table(tmp_path):
    card = Card(uuid=uuid(7), minor=3, tensor_percent=1.0)
    assert devices(started(card), sysfs=tmp_path) == [
        Device(
            uuid=uuid(7),
            index=0,
            minor=3,
            gpu_model="NVIDIA H100 80GB HBM3",
            model="H100",
            tflops=989.4,
            vram_bytes=79 * GIB,
            is_derived=False,
            is_mig=False,
            numa_node=-1,
            has_tensor_activity=True,
            highest_clock_tflops=pytest.approx(1070.5, rel=1e-3),
        )
    ]


def test_devices_come_in_the_order_of_their_indexes():
    found = devices(started(*(Card(uuid=uuid(number)) for number in (5, 3, 9))))
    assert [(each.index, each.uuid) for each in found] == [
        (0, uuid(5)),
        (1, uuid(3)),
        (2, uuid(9)),
    ]


def test_what_the_settings_say_of_a_model_wins():
    own = GpuModel("NVIDIA H100 80GB HBM3", 900.0, 80 * GIB)
    [device] = devices(started(Card(uuid=uuid(1))), overrides=[own])
    assert (device.tflops, device.is_derived) == (900.0, False)


def test_the_peak_of_an_unknown_model_is_derived_and_marked():
    card = Card(uuid=uuid(1), name="NVIDIA X900", cores=20000, max_sm_clock_mhz=2000)
    [device] = devices(started(card))
    assert (device.tflops, device.is_derived) == (1280.0, True)


@pytest.mark.parametrize("missing", ["cores", "max_sm_clock_mhz", "compute_capability"])
def test_an_unknown_model_without_figures_is_found_and_not_placeable(missing):
    card = replace(Card(uuid=uuid(1), name="NVIDIA X900"), **{missing: None})
    [device] = devices(started(card))
    assert (device.tflops, device.is_derived) == (0.0, False)


def test_the_numa_node_is_that_of_the_pci_slot(tmp_path):
    folder = tmp_path / "bus/pci/devices/0000:3b:00.0"
    folder.mkdir(parents=True)
    (folder / "numa_node").write_text("1\n")
    [device] = devices(started(Card(uuid=uuid(1))), sysfs=tmp_path)
    assert device.numa_node == 1


@pytest.mark.parametrize("text", ["-1\n", "", "none\n"])
def test_a_numa_node_that_is_not_known_is_minus_one(tmp_path, text):
    folder = tmp_path / "bus/pci/devices/0000:3b:00.0"
    folder.mkdir(parents=True)
    (folder / "numa_node").write_text(text)
    [device] = devices(started(Card(uuid=uuid(1))), sysfs=tmp_path)
    assert device.numa_node == -1


def test_a_gpu_that_cannot_be_read_takes_no_other_with_it():
    cards = [Card(uuid=uuid(1)), Card(uuid=uuid(2), is_lost=True), Card(uuid=uuid(3))]
    discovery = discover(started(*cards))
    assert [each.device.index for each in discovery.found] == [0, 2]
    assert discovery.problems == ("GPU 1 cannot be read: nvmlDeviceGetHandleByIndex: GPU is lost",)


def test_a_driver_that_is_gone_is_an_error():
    nvml = started(Card(uuid=uuid(1)))
    nvml.lose_driver()
    with pytest.raises(NvmlError, match="Driver Not Loaded"):
        discover(nvml)


def test_instances_take_the_place_of_their_gpu():
    card = Card(uuid=uuid(1), instances=[instance(10), instance(11, "3g.40gb", 60, 40)])
    assert [
        (each.uuid, each.index, each.model, each.vram_bytes, each.is_mig)
        for each in devices(started(card))
    ] == [
        (uuid(10, "MIG"), 0, "H100 MIG 1g.10gb", 10 * GIB, True),
        (uuid(11, "MIG"), 0, "H100 MIG 3g.40gb", 40 * GIB, True),
    ]


def test_the_peak_of_an_instance_is_its_share_of_the_multiprocessors():
    card = Card(uuid=uuid(1), instances=[instance(10, multiprocessors=33)])
    [device] = devices(started(card))
    assert device.tflops == pytest.approx(989.4 / 4)
    assert not device.is_derived


def test_a_partitioned_gpu_without_instances_is_no_device():
    assert devices(started(Card(uuid=uuid(1), instances=[]))) == []
