"""Devices over time: a driver that comes late, goes away, or loses a GPU."""

from dataclasses import replace

import pytest

from autoscaler.agent.devices.node_devices import NOT_SHOWN, RETRY_S, NodeDevices
from autoscaler.agent.devices.nvml import RunningProcess
from autoscaler.agent.devices.sampling import BOARD_S
from tests.autoscaler.agent.devices.nvml_double import Card, NvmlDouble, uuid


class Node:
    """The devices of a node with a clock that tests move."""

    def __init__(self, *cards):
        self.nvml = NvmlDouble(*cards)
        self.now_s = 100.0
        self.devices = NodeDevices(
            self.nvml, monotonic_s=lambda: self.now_s, time_s=lambda: 1.8e9 + self.now_s
        )

    def problems(self):
        return [sample.problem for sample in self.devices.sample()]


@pytest.fixture
def node():
    return Node(Card(uuid=uuid(1)), Card(uuid=uuid(2)))


def uuids(devices):
    return [each.uuid for each in devices]


def test_present_devices_are_found_and_sampled(node):
    inventory = node.devices.discover()
    assert uuids(inventory.devices) == [uuid(1), uuid(2)]
    assert (inventory.lost, inventory.problems) == ((), ())
    assert uuids(node.devices.sample()) == [uuid(1), uuid(2)]


def test_looking_again_keeps_what_is_known_of_the_processes(node):
    node.devices.discover()
    node.devices.sample()
    node.devices.discover()
    node.devices.sample()
    assert node.nvml.asked.count("temperature_celsius") == 2


def test_a_node_without_a_driver_has_no_devices_and_says_why(node):
    node.nvml.lose_library()
    inventory = node.devices.discover()
    assert inventory.devices == ()
    assert inventory.problems == ("the NVML library cannot be loaded",)
    assert node.devices.sample() == ()


def test_a_driver_that_comes_late_is_found_by_sampling(node):
    node.nvml.lose_library()
    node.devices.discover()
    node.nvml.no_driver = None
    assert node.devices.sample() == ()
    node.now_s += RETRY_S
    assert uuids(node.devices.sample()) == [uuid(1), uuid(2)]


def test_a_driver_that_goes_away_is_told_in_each_sample_and_started_again(node):
    node.devices.discover()
    node.nvml.lose_driver()
    assert node.problems() == ["nvmlInit: Driver Not Loaded"] * 2
    assert node.devices.inventory.devices == ()
    node.nvml.no_driver = None
    node.now_s += RETRY_S
    assert node.problems() == ["", ""]
    assert node.nvml.starts == 2


def test_nvml_is_not_started_again_at_every_sample(node):
    node.devices.discover()
    node.nvml.lose_driver()
    node.devices.sample()
    node.nvml.no_driver = None
    node.devices.sample()
    assert node.nvml.starts == 1


def test_a_gpu_that_is_lost_does_not_disturb_the_other(node):
    node.devices.discover()
    node.nvml.cards[0].is_lost = True
    assert node.problems() == ["NVML: GPU is lost", ""]
    inventory = node.devices.discover()
    assert uuids(inventory.devices) == [uuid(2)]
    assert uuids(inventory.lost) == [uuid(1)]
    assert node.problems() == [
        "GPU 0 cannot be read: nvmlDeviceGetHandleByIndex: GPU is lost",
        "",
    ]


def test_a_gpu_that_comes_back_is_sampled_again(node):
    node.devices.discover()
    node.nvml.cards[0].is_lost = True
    node.devices.discover()
    node.nvml.cards[0].is_lost = False
    inventory = node.devices.discover()
    assert (uuids(inventory.devices), inventory.lost) == ([uuid(1), uuid(2)], ())
    assert node.problems() == ["", ""]


def test_nvml_is_started_anew_when_no_device_can_be_read(node):
    node.devices.discover()
    for card in node.nvml.cards:
        card.is_lost = True
    node.devices.sample()
    for card in node.nvml.cards:
        card.is_lost = False
    node.devices.discover()
    assert node.nvml.starts == 2
    assert node.problems() == ["", ""]


def test_a_device_that_the_driver_shows_no_more_is_lost(node):
    node.devices.discover()
    del node.nvml.cards[0]
    assert uuids(node.devices.discover().lost) == [uuid(1)]
    assert node.problems() == [NOT_SHOWN, ""]


def test_what_was_found_is_told_once(node, caplog):
    caplog.set_level("INFO")
    node.devices.discover()
    node.devices.discover()
    assert caplog.text.count("GPUs: 0 ") == 1


def test_that_a_gpu_is_under_mps_is_told_once(node, caplog):
    node.devices.discover()
    for clients in ([RunningProcess(pid=7, memory_bytes=None)], []) * 2:
        node.nvml.cards[0].mps_clients = clients
        node.now_s += BOARD_S
        assert [each.is_under_mps for each in node.devices.sample()] == [bool(clients), False]

    assert caplog.text.count(f"{uuid(1)}: processes use it through MPS") == 1


def test_a_device_that_is_partitioned_anew_has_its_new_amounts(node):
    node.devices.discover()
    memory = node.nvml.cards[0].memory
    node.nvml.cards[0].memory = replace(memory, reserved_bytes=0)
    assert node.devices.discover().devices[0].vram_bytes == memory.total_bytes


def test_all_that_the_driver_holds_is_given_back_at_the_end():
    node = Node(Card(uuid=uuid(1), tensor_percent=5.0))
    node.devices.discover()
    node.devices.sample()
    node.devices.close()
    assert node.nvml.readings == 0
    node.devices.close()
