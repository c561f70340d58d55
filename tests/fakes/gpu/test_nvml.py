"""The fake NVML through the stock bindings, as the agent reads it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pynvml  # type: ignore[import-untyped]
import pytest

from tests.components.lacking import lacks
from tests.components.processes import until
from tests.fakes.gpu.building import program
from tests.fakes.gpu.cards import (
    FOLDER_VARIABLE,
    GIB,
    GPU_IS_LOST,
    MIB,
    CardTraits,
    FakeCards,
    make_cards,
)
from tests.fakes.gpu.programs import RunningProgram

TRAITS = (
    CardTraits(nvml_reserved_bytes=600 * MIB),
    CardTraits(name="NVIDIA A100-SXM4-80GB", is_mig=True, has_gpm=False, multiprocessors=108),
)


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCards]:
    made = make_cards(tmp_path / "gpus", *TRAITS)
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(made.nvml_library)))
    pynvml.nvmlInit()
    yield made
    pynvml.nvmlShutdown()
    made.close()


@pytest.fixture
def gpu(cards: FakeCards) -> Any:
    assert pynvml.nvmlDeviceGetCount() == 2
    return pynvml.nvmlDeviceGetHandleByIndex(0)


@pytest.fixture
def mig(cards: FakeCards) -> Any:
    assert pynvml.nvmlDeviceGetCount() == 2
    return pynvml.nvmlDeviceGetHandleByIndex(1)


def running(gpu: Any) -> dict[int, int]:
    return {
        each.pid: each.usedGpuMemory for each in pynvml.nvmlDeviceGetComputeRunningProcesses(gpu)
    }


def utilization(gpu: Any, since_us: int = 0) -> dict[int, int]:
    try:
        found = pynvml.nvmlDeviceGetProcessUtilization(gpu, since_us)
    except pynvml.NVMLError_NotFound:
        return {}
    return {each.pid: each.smUtil for each in found}


class TestCards:
    def test_tell_what_they_are(self, cards: FakeCards, gpu: Any) -> None:
        told = (
            pynvml.nvmlDeviceGetUUID(gpu),
            pynvml.nvmlDeviceGetName(gpu),
            pynvml.nvmlDeviceGetNumGpuCores(gpu),
            pynvml.nvmlDeviceGetCudaComputeCapability(gpu),
            pynvml.nvmlDeviceGetMinorNumber(gpu),
            pynvml.nvmlDeviceGetPciInfo(gpu).busId,
            pynvml.nvmlDeviceGetNumaNodeId(gpu),
            pynvml.nvmlSystemGetDriverVersion(),
        )
        name = "NVIDIA H100 80GB HBM3"
        expected = (cards.cards[0].uuid, name, 16896, (9, 0), 0, "00000000:01:00.0", 0)
        assert (*expected, "580.159.04") == told

    def test_are_found_by_uuid(self, cards: FakeCards, gpu: Any) -> None:
        found = pynvml.nvmlDeviceGetHandleByUUID(cards.cards[0].uuid)
        assert pynvml.nvmlDeviceGetUUID(gpu) == pynvml.nvmlDeviceGetUUID(found)

    def test_tell_their_figures(self, gpu: Any) -> None:
        told = (
            pynvml.nvmlDeviceGetTemperature(gpu, pynvml.NVML_TEMPERATURE_GPU),
            pynvml.nvmlDeviceGetPowerUsage(gpu),
            pynvml.nvmlDeviceGetClockInfo(gpu, pynvml.NVML_CLOCK_SM),
            pynvml.nvmlDeviceGetMaxClockInfo(gpu, pynvml.NVML_CLOCK_MEM),
        )
        assert told == (41, 120_000, 1980, 2619)

    def test_that_are_lost_answer_with_an_error(self, cards: FakeCards, gpu: Any) -> None:
        cards.cards[0].change(CardTraits(nvml_error=GPU_IS_LOST))
        with pytest.raises(pynvml.NVMLError_GpuIsLost):
            pynvml.nvmlDeviceGetName(gpu)

    def test_of_another_folder_are_seen_after_the_next_start(
        self, cards: FakeCards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = make_cards(tmp_path / "other", CardTraits(name="NVIDIA L4"))
        monkeypatch.setenv(FOLDER_VARIABLE, str(other.folder))
        pynvml.nvmlInit()
        names = [
            pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(index))
            for index in range(pynvml.nvmlDeviceGetCount())
        ]
        other.close()
        assert names == ["NVIDIA L4"]

    @pytest.mark.usefixtures("cards")
    def test_may_be_sixteen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        many = make_cards(tmp_path / "many", *[CardTraits()] * 16)
        monkeypatch.setenv(FOLDER_VARIABLE, str(many.folder))
        pynvml.nvmlInit()
        uuids = [
            pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(index))
            for index in range(pynvml.nvmlDeviceGetCount())
        ]
        many.close()
        assert uuids == [card.uuid for card in many.cards]
        assert len(set(uuids)) == 16

    def test_offer_gpm_or_not(self, gpu: Any, mig: Any) -> None:
        offered = [pynvml.nvmlGpmQueryDeviceSupport(each) for each in (gpu, mig)]
        assert [each.isSupportedDevice for each in offered] == [1, 0]

    def test_have_an_instance_where_mig_is_on(self, cards: FakeCards, gpu: Any, mig: Any) -> None:
        assert list(pynvml.nvmlDeviceGetMigMode(gpu)) == [0, 0]
        assert list(pynvml.nvmlDeviceGetMigMode(mig)) == [1, 1]
        instance = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(mig, 0)
        assert cards.cards[1].uuid.replace("GPU", "MIG") == pynvml.nvmlDeviceGetUUID(instance)
        assert pynvml.nvmlDeviceGetAttributes_v2(instance).multiprocessorCount == 108
        with pytest.raises(pynvml.NVMLError_NotFound):
            pynvml.nvmlDeviceGetMigDeviceHandleByIndex(mig, 1)


class TestMemory:
    def test_is_told_in_two_ways(self, cards: FakeCards, gpu: Any) -> None:
        with RunningProgram("memory", cards) as memory:
            memory.answer()
            memory.ask(f"take plain {GIB}")
            one = pynvml.nvmlDeviceGetMemoryInfo(gpu)
            two = pynvml.nvmlDeviceGetMemoryInfo(gpu, pynvml.nvmlMemory_v2)
        held_bytes = GIB + 545 * MIB
        assert (80 * GIB, held_bytes + 600 * MIB) == (one.total, one.used)
        assert (600 * MIB, held_bytes) == (two.reserved, two.used)
        assert two.free + two.used + two.reserved == 80 * GIB

    def test_of_processes_is_listed_while_they_live(self, cards: FakeCards, gpu: Any) -> None:
        with RunningProgram("memory", cards) as memory:
            memory.answer()
            memory.ask(f"take plain {GIB}")
            assert {memory.pid: GIB + 545 * MIB} == running(gpu)
            memory.kill()
            assert running(gpu) == {}

    def test_is_listed_under_the_pid_that_the_reader_sees(self, cards: FakeCards, gpu: Any) -> None:
        unshare = shutil.which("unshare")
        if unshare is None or os.geteuid() != 0:
            lacks("a PID namespace needs root and unshare")
        words = [unshare, "--pid", "--fork", "--kill-child", str(program("memory"))]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as outer:
            assert outer.stdout is not None
            assert b'"pid": 1,' in outer.stdout.readline()
            (pid,) = running(gpu)
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text()
            outer.communicate()
        assert [pid] == [int(each) for each in children.split()]


class TestUtilization:
    def test_of_nobody_is_not_found(self, gpu: Any) -> None:
        with pytest.raises(pynvml.NVMLError_NotFound):
            pynvml.nvmlDeviceGetProcessUtilization(gpu, 0)
        with pytest.raises(pynvml.NVMLError_NotFound):
            pynvml.nvmlDeviceGetProcessesUtilizationInfo(gpu, 0)

    def test_is_told_in_two_ways(self, cards: FakeCards, gpu: Any) -> None:
        with RunningProgram("load", cards) as load:
            load.answer()
            until(lambda: load.pid in utilization(gpu), what="NVML tells of the process")
            (found,) = pynvml.nvmlDeviceGetProcessUtilization(gpu, 0)
            (other,) = pynvml.nvmlDeviceGetProcessesUtilizationInfo(gpu, 0)
            assert load.pid == found.pid == other.pid
            assert found.timeStamp <= other.timeStamp

    def test_side_by_side_is_nearly_all_of_the_card_for_each(
        self, cards: FakeCards, gpu: Any
    ) -> None:
        with RunningProgram("load", cards) as one, RunningProgram("load", cards) as other:
            for load in (one, other):
                load.answer()
            until(
                lambda: utilization(gpu) == {one.pid: 99, other.pid: 99},
                what="both are told to have all",
            )
            assert pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu >= 99

    def test_after_a_time_is_of_later_windows(self, cards: FakeCards, gpu: Any) -> None:
        with RunningProgram("load", cards) as load:
            load.answer()
            until(lambda: load.pid in utilization(gpu), what="NVML tells of the process")
            load.finish()
        (last,) = pynvml.nvmlDeviceGetProcessUtilization(gpu, 0)
        seen_us = last.timeStamp + 200_000
        assert utilization(gpu, seen_us + 10_000_000) == {}
        assert {load.pid} == set(utilization(gpu, seen_us - 400_000))

    def test_of_a_card_with_mig_is_not_supported(self, mig: Any) -> None:
        with pytest.raises(pynvml.NVMLError_NotSupported):
            pynvml.nvmlDeviceGetProcessUtilization(mig, 0)
