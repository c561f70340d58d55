"""NVML by a real shared library, through ``pynvml``, on the cards of a fake machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.agent.devices.discovery import discover
from autoscaler.agent.devices.node_devices import NodeDevices
from autoscaler.agent.devices.nvml import GPU_IS_LOST, NvmlError
from autoscaler.agent.devices.nvml_library import NvmlLibrary
from tests.components.processes import until
from tests.fakes.gpu.cards import FOLDER_VARIABLE, GIB, CardTraits, make_cards
from tests.fakes.gpu.programs import RunningProgram

NO_SYSFS = Path("/no-such-folder")
TRAITS = (
    CardTraits(nvml_reserved_bytes=GIB),
    CardTraits(name="NVIDIA L4", total_bytes=24 * GIB, has_gpm=False),
)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    cards = make_cards(tmp_path / "cards", *TRAITS)
    monkeypatch.setenv(FOLDER_VARIABLE, str(cards.folder))
    yield cards
    cards.close()


@pytest.fixture
def library(machine):
    started = NvmlLibrary(machine.nvml_library)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def devices(machine):
    made = NodeDevices(NvmlLibrary(machine.nvml_library), sysfs=NO_SYSFS)
    made.discover()
    yield made
    made.close()


def test_cards_are_found_with_all_that_is_told_of_them(library, machine):
    first, second = (each.device for each in discover(library, sysfs=NO_SYSFS).found)
    assert (first.uuid, first.index, first.minor) == (machine.cards[0].uuid, 0, 0)
    assert (first.gpu_model, first.model, first.tflops) == ("NVIDIA H100 80GB HBM3", "H100", 989.4)
    assert (first.vram_bytes, first.has_tensor_activity) == (79 * GIB, True)
    assert (second.gpu_model, second.model, second.index) == ("NVIDIA L4", "L4", 1)
    assert (second.vram_bytes, second.has_tensor_activity) == (24 * GIB, False)


def test_all_figures_of_the_chip_and_the_board_are_read(library):
    card = library.device(0)
    assert library.device_count() == 2
    assert library.pci_address(card) == "00000000:01:00.0"
    assert library.cores(card) == 16896
    assert library.compute_capability(card) == (9, 0)
    assert library.max_sm_clock_mhz(card) == 1980
    assert library.sm_clock_mhz(card) == 1980
    assert library.temperature_celsius(card) == 41
    assert library.power_watts(card) == 120.0
    assert library.busy_percent(card) == 0.0


def test_a_card_that_nobody_uses_has_neither_processes_nor_samples(library):
    card = library.device(0)
    assert library.processes(card) == []
    assert library.utilization(card, 0) == []
    assert library.memory(card).used_bytes == 0


def test_a_process_is_seen_with_its_memory_and_its_use(devices, machine):
    with RunningProgram("load", machine, "--kernel-ns", 1_000_000) as program:

        def busy():
            sample = devices.sample()[0]
            found = [each for each in sample.processes if (each.sm_percent or 0) > 50]
            return found if sample.busy_percent else None

        [process] = until(busy, what="the driver shows a busy process")
        assert process.pid == program.pid
        assert process.memory_bytes >= CardTraits().context_bytes
        assert devices.sample()[1].processes == ()


def test_both_calls_for_utilisation_tell_the_same(library, machine, monkeypatch):
    import pynvml

    with RunningProgram("load", machine, "--kernel-ns", 1_000_000) as program:
        card = library.device(0)
        until(lambda: library.utilization(card, 0), what="the driver has a sample")

        def absent(*_):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)

        monkeypatch.setattr(pynvml, "nvmlDeviceGetProcessUtilization", absent)
        found = library.utilization(card, 0)
        assert {each.pid for each in found} == {program.pid}


def test_clients_of_mps_are_seen_while_they_are_there(devices, machine):
    first, traits = machine.cards[0], machine.cards[0].traits
    with RunningProgram("load", machine, "--kernel-ns", "1000000") as program:
        until(lambda: devices.sample()[0].processes, what="the driver shows the process")
        first.change(replace(traits, is_under_mps=True))
        sample = until(
            lambda: next((each for each in devices.sample() if each.is_under_mps), None),
            what="a client of MPS is seen",
        )
        assert (sample.uuid, [each.pid for each in sample.processes]) == (first.uuid, [program.pid])

        first.change(replace(traits, is_under_mps=False))
        until(lambda: not devices.sample()[0].is_under_mps, what="MPS has ended")


def test_a_card_under_mps_that_nobody_uses_has_no_clients(library, machine):
    machine.cards[0].change(replace(machine.cards[0].traits, is_under_mps=True))
    assert library.mps_clients(library.device(0)) == []


def test_a_driver_without_the_call_for_clients_of_mps_is_not_under_mps(
    devices, machine, monkeypatch
):
    import pynvml

    def absent(*_):
        raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetMPSComputeRunningProcesses", absent)
    machine.cards[0].change(replace(machine.cards[0].traits, is_under_mps=True))
    with RunningProgram("load", machine, "--kernel-ns", "1000000"):
        sample = until(
            lambda: next((each for each in devices.sample() if each.processes), None),
            what="the driver shows the process",
        )
    assert (sample.is_under_mps, sample.problem) == (False, "")


def test_tensor_activity_is_read_where_it_is_offered(library):
    card = library.device(0)
    earlier = library.activity(card)
    until(lambda: _differs(library, card, earlier), what="the driver has another reading")
    assert not library.has_tensor_activity(library.device(1))
    with pytest.raises(NvmlError, match="nvmlGpmSampleGet: Not Supported"):
        library.activity(library.device(1))


def _differs(library, card, earlier):
    later = library.activity(card)
    try:
        return library.tensor_percent(earlier, later) == 0.0
    finally:
        library.free_activity(later)


def test_a_partitioned_card_shows_its_instance(library, machine):
    machine.cards[0].change(replace(machine.cards[0].traits, is_mig=True))
    device = discover(library, sysfs=NO_SYSFS).found[0].device
    assert device.uuid == machine.cards[0].uuid.replace("GPU-", "MIG-")
    assert (device.is_mig, device.index, device.tflops) == (True, 0, 989.4)


def test_a_lost_card_is_told_and_found_again(devices, machine):
    card = machine.cards[0]
    card.change(replace(card.traits, nvml_error=GPU_IS_LOST))
    until(lambda: devices.sample()[0].problem, what="the loss is seen")
    inventory = devices.discover()
    assert [each.index for each in inventory.devices] == [1]
    assert inventory.problems == ("GPU 0 cannot be read: nvmlDeviceGetHandleByIndex: GPU is lost",)
    card.change(replace(card.traits, nvml_error=0))
    assert [each.index for each in devices.discover().devices] == [0, 1]


def test_a_driver_that_is_not_loaded_is_told(machine, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, "/no-such-folder")
    inventory = NodeDevices(NvmlLibrary(machine.nvml_library)).discover()
    assert inventory.problems == ("nvmlInit: Driver Not Loaded",)


def test_a_library_that_cannot_be_loaded_is_named():
    import pynvml

    before, pynvml.nvmlLib = pynvml.nvmlLib, None
    try:
        inventory = NodeDevices(NvmlLibrary(Path("/no/libnvidia-ml.so.1"))).discover()
    finally:
        pynvml.nvmlLib = before
    [problem] = inventory.problems
    assert problem.startswith("the NVML library cannot be loaded: /no/libnvidia-ml.so.1: ")
