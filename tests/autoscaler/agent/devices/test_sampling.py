"""One look at a device."""

from dataclasses import replace

import pytest

from autoscaler.agent.devices.discovery import discover
from autoscaler.agent.devices.nvml import Memory, NvmlError, RunningProcess, Utilization
from autoscaler.agent.devices.samples import DeviceSample, ProcessSample
from autoscaler.agent.devices.sampling import DeviceSampler
from tests.autoscaler.agent.devices.nvml_double import GIB, Card, Instance, started, uuid

START_US = 1_800_000_000_000_000


class Sampled:
    """One card, and the sampler of its first device."""

    def __init__(self, card):
        self.card = card
        self.nvml = started(card)
        self.sampler = DeviceSampler(discover(self.nvml).found[0])

    def at(self, monotonic_s):
        time_us = START_US + int(monotonic_s * 1e6)
        return self.sampler.sample(self.nvml, monotonic_s=monotonic_s, time_us=time_us)


def test_a_sample_has_the_figures_of_the_board_and_its_processes():
    card = Card(
        uuid=uuid(1),
        processes=[
            RunningProcess(pid=70, memory_bytes=2 * GIB),
            RunningProcess(pid=8, memory_bytes=None),
        ],
        utilization=[Utilization(pid=70, time_us=START_US, sm_percent=33)],
        busy_percent=35.0,
    )
    assert Sampled(card).at(0.5) == DeviceSample(
        uuid=uuid(1),
        monotonic_s=0.5,
        busy_percent=35.0,
        memory_used_bytes=2 * GIB,
        temperature_celsius=40,
        power_watts=100.0,
        sm_clock_mhz=1500,
        max_sm_clock_mhz=1980,
        processes=(
            ProcessSample(pid=8, uuid=uuid(1), sm_percent=0.0, memory_bytes=None),
            ProcessSample(pid=70, uuid=uuid(1), sm_percent=33.0, memory_bytes=2 * GIB),
        ),
    )


@pytest.mark.parametrize(
    "figure", ["busy_percent", "temperature_celsius", "power_watts", "sm_clock_mhz"]
)
def test_a_figure_that_is_not_told_is_none_and_not_zero(figure):
    sample = Sampled(replace(Card(uuid=uuid(1)), **{figure: None})).at(0.0)
    assert getattr(sample, figure) is None


def test_a_device_without_utilisation_of_processes_still_lists_them():
    card = Card(uuid=uuid(1), utilization=None, processes=[RunningProcess(pid=7, memory_bytes=GIB)])
    [process] = Sampled(card).at(0.0).processes
    assert (process.sm_percent, process.memory_bytes) == (None, GIB)


def test_a_process_that_the_list_does_not_show_yet_is_there_by_its_use():
    sampled = Sampled(Card(uuid=uuid(1)))
    sampled.at(0.0)
    sampled.card.utilization.append(Utilization(pid=9, time_us=START_US + 100_000, sm_percent=5))
    assert sampled.at(0.2).processes == (
        ProcessSample(pid=9, uuid=uuid(1), sm_percent=5.0, memory_bytes=None),
    )


def test_what_changes_slowly_is_read_once_a_second_and_utilisation_at_each_look():
    sampled = Sampled(Card(uuid=uuid(1)))
    for look in range(10):
        sampled.at(look * 0.2)
    assert sampled.nvml.asked.count("temperature_celsius") == 2
    assert sampled.nvml.asked.count("processes") == 2
    assert sampled.nvml.asked.count("utilization") == 10


def test_tensor_activity_is_known_from_the_second_reading_on():
    sampled = Sampled(Card(uuid=uuid(1), tensor_percent=12.5))
    assert [sampled.at(second).tensor_percent for second in (0.0, 1.0, 2.0)] == [None, 12.5, 12.5]


def test_readings_of_tensor_activity_are_given_back():
    sampled = Sampled(Card(uuid=uuid(1), tensor_percent=12.5))
    for second in range(5):
        sampled.at(float(second))
    assert sampled.nvml.readings == 1
    sampled.sampler.close(sampled.nvml)
    assert sampled.nvml.readings == 0


def test_a_device_without_tensor_activity_is_not_asked_for_it():
    sampled = Sampled(Card(uuid=uuid(1)))
    assert sampled.at(0.0).tensor_percent is None
    assert "tensor_percent" not in sampled.nvml.asked


def test_an_instance_lists_its_processes_without_utilisation():
    instance = Instance(
        uuid=uuid(2, "MIG"),
        name="NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        multiprocessors=16,
        memory=Memory(total_bytes=10 * GIB, used_bytes=GIB),
        processes=[RunningProcess(pid=7, memory_bytes=GIB)],
    )
    sampled = Sampled(Card(uuid=uuid(1), instances=[instance]))
    assert sampled.at(0.0).processes == (
        ProcessSample(pid=7, uuid=uuid(2, "MIG"), sm_percent=None, memory_bytes=GIB),
    )
    assert "utilization" not in sampled.nvml.asked


def test_a_card_with_clients_of_mps_is_under_mps_until_they_are_gone():
    client = RunningProcess(pid=7, memory_bytes=GIB)
    sampled = Sampled(Card(uuid=uuid(1), processes=[client], mps_clients=[client]))
    seen = [sampled.at(0.0).is_under_mps]

    sampled.card.mps_clients.clear()
    seen += [sampled.at(1.0).is_under_mps]

    assert seen == [True, False]


def test_a_driver_that_does_not_tell_clients_of_mps_has_none():
    assert not Sampled(Card(uuid=uuid(1), mps_clients=None)).at(0.0).is_under_mps


def test_a_client_of_mps_is_a_process_of_the_card_though_only_one_list_has_it():
    card = Card(
        uuid=uuid(1),
        processes=[RunningProcess(pid=8, memory_bytes=GIB)],
        mps_clients=[RunningProcess(pid=7, memory_bytes=2 * GIB)],
    )
    found = Sampled(card).at(0.0).processes
    assert [(each.pid, each.memory_bytes) for each in found] == [(7, 2 * GIB), (8, GIB)]


def test_an_instance_is_not_asked_for_clients_of_mps():
    instance = Instance(
        uuid=uuid(2, "MIG"),
        name="NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        multiprocessors=16,
        memory=Memory(total_bytes=10 * GIB, used_bytes=GIB),
    )
    sampled = Sampled(Card(uuid=uuid(1), instances=[instance]))
    assert not sampled.at(0.0).is_under_mps
    assert "mps_clients" not in sampled.nvml.asked


def test_a_lost_gpu_is_an_error_at_the_next_slow_look():
    sampled = Sampled(Card(uuid=uuid(1)))
    sampled.at(0.0)
    sampled.card.is_lost = True
    with pytest.raises(NvmlError, match="GPU is lost"):
        sampled.at(0.2)
