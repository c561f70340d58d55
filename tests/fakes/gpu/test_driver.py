"""The fake driver, by the programs that run on it and by its table of functions."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from tests.components.processes import until
from tests.fakes.gpu.building import NATIVE, Route, driver_folder
from tests.fakes.gpu.cards import GIB, MIB, CardError, CardTraits, FakeCard, FakeCards, make_cards
from tests.fakes.gpu.ledgers import CardLedger
from tests.fakes.gpu.programs import ProgramError, RunningProgram, run_program

OUT_OF_MEMORY = 2
NOT_INITIALIZED = 3
FOUND, NOT_FOUND, VERSION_TOO_OLD = 0, 1, 2
LEGACY, PER_THREAD = 0, 2
CARD_PATHS = ("plain", "pitch", "async", "create", "array", "graph")
"""Of memory that is the card's."""


@pytest.fixture
def cards(tmp_path: Path) -> Iterator[FakeCards]:
    made = make_cards(tmp_path / "gpus", CardTraits(), CardTraits())
    yield made
    made.close()


class TestKernels:
    @pytest.mark.parametrize("route", get_args(Route))
    def test_are_launched_by_every_way_to_find_a_function(
        self, cards: FakeCards, route: Route
    ) -> None:
        found = run_program("graph", cards, "--kernels", 4, "--replays", 3, route=route)
        assert [each["launches"] for each in found] == [3]
        assert cards.cards[0].card_ledger().all.kernels == 12

    def test_of_many_threads_all_end(self, cards: FakeCards) -> None:
        run_program("threads", cards, "--threads", 8, "--launches", 500)
        assert cards.cards[0].card_ledger().all.kernels == 4000

    def test_of_a_process_are_in_its_ledger(self, cards: FakeCards) -> None:
        with RunningProgram("load", cards, "--kernel-ns", 10_000) as load:
            pid = load.answer()["ready"]
            load.answer()
            last = load.finish()[-1]
        ledger = cards.cards[0].ledger(pid)
        assert last["launches"] == ledger.kernels
        assert 10_000 * last["launches"] == ledger.kernel_ns

    @pytest.mark.parametrize("kernels_ns", [(20_000,), (20_000, 50_000, 230_000)])
    def test_behind_a_lead_are_told_to_take_what_they_take(
        self, cards: FakeCards, kernels_ns: tuple[int, ...]
    ) -> None:
        lengths = ",".join(map(str, kernels_ns))
        with RunningProgram("load", cards, "--kernel-ns", lengths, "--report-ms", 10) as load:
            assert load.answer()["tells_busy"]
            load.tell("duty 0.5 led")
            until(lambda: load.answer()["busy_ns"] > 0, what="batches have ended")
            first, last = load.answer(), load.answer()
            while last["ended"] < first["ended"] + 500:
                last = load.answer()
        busy_ns = last["busy_ns"] - first["busy_ns"]
        mean_ns = sum(kernels_ns) / len(kernels_ns)
        # The fake card has a gap before each kernel.
        assert mean_ns <= busy_ns / (last["ended"] - first["ended"]) < mean_ns + 2_000

    def test_of_two_processes_take_turns(self, cards: FakeCards) -> None:
        card = cards.cards[0]
        with RunningProgram("load", cards) as one, RunningProgram("load", cards) as other:
            until(lambda: card.ledger(one.pid).kernels > 5, what="the first one gets on")
            until(lambda: card.ledger(other.pid).kernels > 5, what="the second one gets on")
            until(lambda: card.card_ledger().switches > 5, what="they take turns")

    def test_of_a_killed_process_vanish(self, cards: FakeCards) -> None:
        with RunningProgram("endless", cards) as endless:
            pid = endless.answer()["running"]
            until(lambda: cards.cards[0].ledger(pid).busy_ns > 0, what="it runs")
            endless.kill()
        until(lambda: cards.cards[0].held_bytes() == 0, what="its memory is gone")
        stopped = cards.cards[0].ledger(pid).busy_ns
        run_program("threads", cards, "--launches", 10)
        assert stopped == cards.cards[0].ledger(pid).busy_ns

    def test_go_on_whenever_a_neighbour_is_killed(self, cards: FakeCards) -> None:
        card = cards.cards[0]
        for least in (1, 3, 10, 30, 100, 300):
            with RunningProgram("load", cards, "--kernel-ns", 5_000, "--streams", 4) as load:
                _wait_for_kernels(card, load, least)
                load.kill()
            assert card.held_bytes() == 0
            before = card.card_ledger()
            run_program("threads", cards, "--launches", 10)
            after = card.card_ledger()
            assert after.all.kernels - before.all.kernels == 80
            assert _passed_ns(before, after) == after.at_ns - before.at_ns

    @pytest.mark.parametrize("devices", [1, 2])
    def test_that_meet_both_end(self, cards: FakeCards, devices: int) -> None:
        (found,) = run_program("dependent", cards, "--devices", devices, "--rounds", 5)
        assert found["rounds"] == 5

    def test_beside_an_endless_one_end(self, cards: FakeCards) -> None:
        found = run_program("endless", cards, "--beside", 10)
        assert found[1:] == [{"beside": 10}, {"ended": True}]

    def test_have_the_length_that_is_told(self, cards: FakeCards) -> None:
        card = cards.cards[0]
        with RunningProgram("load", cards, "--kernel-ns", 20_000, "--report-ms", 5) as load:
            _wait_for_kernels(card, load, 100)
            load.tell("kernel 30000,50000")
            until(lambda: _is_as_told(card, load), what="kernels take 30 and 50 us in turn")
            load.tell("stop")
            assert load.finish()[-1]["ended"] == card.ledger(load.pid).kernels

    def test_are_paused_and_go_on(self, cards: FakeCards) -> None:
        card = cards.cards[0]
        with RunningProgram("load", cards, "--kernel-ns", 20_000, "--report-ms", 5) as load:
            until(lambda: card.ledger(load.pid).kernels > 100, what="it runs")
            load.tell("pause")
            until(lambda: _stands_still(load), what="it stands still")
            paused = card.ledger(load.pid).kernels
            load.tell("go")
            until(lambda: card.ledger(load.pid).kernels > paused, what="it goes on")


def _is_as_told(card: FakeCard, load: RunningProgram) -> bool:
    """Return whether kernels lately took 30 and 50 us in turn, but for the two that were cut."""
    before = card.ledger(load.pid)
    load.answer()
    after = card.ledger(load.pid)
    kernels = after.kernels - before.kernels
    return kernels > 0 and abs(after.kernel_ns - before.kernel_ns - 40_000 * kernels) <= 50_000


def _wait_for_kernels(card: FakeCard, load: RunningProgram, least: int) -> None:
    until(lambda: card.ledger(load.pid).kernels >= least, what=f"{least} kernels have ended")


def _passed_ns(before: CardLedger, after: CardLedger) -> int:
    """Return the time that was busy, switching or idle."""
    busy_ns = after.all.busy_ns - before.all.busy_ns
    return busy_ns + after.switch_ns - before.switch_ns + after.idle_ns - before.idle_ns


def _stands_still(load: RunningProgram) -> bool:
    one, other = load.answer(), load.answer()
    return one.get("launches") == other.get("launches")


class TestCapture:
    @pytest.mark.parametrize(
        ("mode", "disturbed", "query", "end"),
        [
            ("global", "yes", 900, 901),
            ("global", "relaxed", 0, 0),
            ("thread", "yes", 0, 0),
            ("relaxed", "yes", 0, 0),
        ],
    )
    def test_is_broken_by_a_query_of_another_thread(
        self, cards: FakeCards, mode: str, disturbed: str, query: int, end: int
    ) -> None:
        (found,) = run_program("graph", cards, "--mode", mode, "--disturbed", disturbed)
        assert (query, end) == (found["query"], found["end"])


class TestFork:
    def test_a_child_of_a_user_cannot_use_the_driver(self, cards: FakeCards) -> None:
        child, parent = run_program("forking", cards)
        assert child == {"child_init": NOT_INITIALIZED, "child_launch": -1}
        assert parent["parent_launch"] == 0

    @pytest.mark.parametrize("words", [("--before", "no"), ("--exec", "yes")])
    def test_a_child_that_begins_anew_can(self, cards: FakeCards, words: tuple[str, str]) -> None:
        child, parent = run_program("forking", cards, *words)
        assert child == {"child_init": 0, "child_launch": 0}
        assert parent["parent_launch"] == 0


class TestMemory:
    @pytest.mark.parametrize("path", CARD_PATHS)
    def test_taken_is_the_cards_until_it_is_given_back(self, cards: FakeCards, path: str) -> None:
        card = cards.cards[0]
        with RunningProgram("memory", cards) as memory:
            pid = memory.answer()["pid"]
            assert card.held_bytes(pid) == 545 * MIB
            taken = memory.ask(f"take {path} {GIB}")
            assert card.held_bytes(pid) == 545 * MIB + GIB
            assert taken["free_bytes"] == 79 * GIB - 545 * MIB
            memory.ask("give")
            memory.ask("wait")
            assert card.held_bytes(pid) == 545 * MIB

    @pytest.mark.parametrize("path", CARD_PATHS)
    def test_beyond_the_card_is_denied(self, cards: FakeCards, path: str) -> None:
        with RunningProgram("memory", cards) as memory:
            memory.answer()
            denied = memory.ask(f"take {path} {80 * GIB}")
            assert denied["result"] == OUT_OF_MEMORY
            assert memory.ask(f"take {path} {79 * GIB}")["result"] == 0

    def test_that_is_managed_takes_nothing_of_the_card(self, cards: FakeCards) -> None:
        with RunningProgram("memory", cards) as memory:
            pid = memory.answer()["pid"]
            assert memory.ask(f"take managed {100 * GIB}")["result"] == 0
            assert cards.cards[0].held_bytes(pid) == 545 * MIB

    def test_of_a_pool_stays_with_it_until_somebody_waits(self, cards: FakeCards) -> None:
        with RunningProgram("memory", cards) as memory:
            pid = memory.answer()["pid"]
            memory.ask(f"take async {GIB}")
            memory.ask("give")
            assert cards.cards[0].held_bytes(pid) == 545 * MIB + GIB

    def test_of_racing_processes_never_exceeds_the_card(self, cards: FakeCards) -> None:
        with RunningProgram("memory", cards) as one, RunningProgram("memory", cards) as other:
            both = (one, other)
            for memory in both:
                memory.answer()
            for memory in both:
                for _ in range(100):
                    memory.tell(f"take plain {GIB}")
            results = [memory.answer()["result"] for memory in both for _ in range(100)]
            assert results.count(0) == 78
            assert results.count(OUT_OF_MEMORY) == 122

    def test_of_a_killed_process_is_there_for_the_next_one(self, cards: FakeCards) -> None:
        with RunningProgram("memory", cards) as dead, RunningProgram("memory", cards) as alive:
            for memory in (dead, alive):
                memory.answer()
            dead.ask(f"take plain {78 * GIB}")
            assert alive.ask(f"take plain {78 * GIB}")["result"] == OUT_OF_MEMORY
            dead.kill()
            assert alive.ask(f"take plain {78 * GIB}")["result"] == 0

    def test_for_a_context_may_be_missing(self, tmp_path: Path) -> None:
        small = make_cards(tmp_path / "small", CardTraits(total_bytes=544 * MIB))
        (found,) = run_program("memory", small)
        small.close()
        assert found["result"] == OUT_OF_MEMORY


class TestFunctions:
    @pytest.fixture
    def driver(self) -> ctypes.CDLL:
        return ctypes.CDLL(str(driver_folder() / "libcuda.so.1"))

    @staticmethod
    def asked(driver: ctypes.CDLL, name: str, version: int, flags: int) -> tuple[int, int | None]:
        """Return the status and the address."""
        found, status = ctypes.c_void_p(), ctypes.c_int(-1)
        result = driver.cuGetProcAddress_v2(
            name.encode(),
            ctypes.byref(found),
            version,
            ctypes.c_uint64(flags),
            ctypes.byref(status),
        )
        assert result == 0
        return status.value, found.value

    @staticmethod
    def address(driver: ctypes.CDLL, name: str) -> int | None:
        return ctypes.cast(getattr(driver, name), ctypes.c_void_p).value

    @pytest.mark.parametrize(
        ("name", "version", "flags", "expected"),
        [
            ("cuMemAlloc", 13000, LEGACY, "cuMemAlloc_v2"),
            ("cuGetProcAddress", 11040, LEGACY, "cuGetProcAddress"),
            ("cuGetProcAddress", 12000, LEGACY, "cuGetProcAddress_v2"),
            ("cuLaunchKernel", 13000, LEGACY, "cuLaunchKernel"),
            ("cuLaunchKernel", 13000, PER_THREAD, "cuLaunchKernel_ptsz"),
            ("cuMemsetD8", 12000, PER_THREAD, "cuMemsetD8_v2_ptds"),
            ("cuCtxCreate", 12000, LEGACY, "cuCtxCreate_v3"),
            ("cuCtxCreate", 13000, LEGACY, "cuCtxCreate_v4"),
        ],
    )
    def test_are_found_by_name_version_and_form(
        self, driver: ctypes.CDLL, name: str, version: int, flags: int, expected: str
    ) -> None:
        found = self.asked(driver, name, version, flags)
        assert (FOUND, self.address(driver, expected)) == found

    @pytest.mark.parametrize(
        ("name", "version", "status"),
        [("cuNothing", 13000, NOT_FOUND), ("cuMemAllocAsync", 11000, VERSION_TOO_OLD)],
    )
    def test_that_are_not_there_are_told_apart(
        self, driver: ctypes.CDLL, name: str, version: int, status: int
    ) -> None:
        assert (status, None) == self.asked(driver, name, version, LEGACY)

    def test_of_the_table_are_all_exported(self, driver: ctypes.CDLL) -> None:
        table = (NATIVE / "cuda_functions.def").read_text()
        names = re.findall(r"^(?:ONE|TWO)\((\w+),", table, flags=re.MULTILINE)
        missing = [name for name in names if not hasattr(driver, name)]
        assert missing == []
        assert len(names) > 150

    def test_there_is_no_export_table(self, driver: ctypes.CDLL) -> None:
        assert not hasattr(driver, "cuGetExportTable")


def test_without_cards_there_is_no_device(cards: FakeCards, tmp_path: Path) -> None:
    none, log = {"TF_FAKE_GPUS": os.devnull}, tmp_path / "log"
    with (
        RunningProgram("memory", cards, environment=none, log=log) as memory,
        pytest.raises(ProgramError, match=r"ended with 1: cuInit\(0\) answered 100"),
    ):
        memory.answer()


def test_a_card_is_made_once(cards: FakeCards) -> None:
    with pytest.raises(CardError, match="card0 could not be made; is it there already"):
        make_cards(cards.folder, CardTraits())
