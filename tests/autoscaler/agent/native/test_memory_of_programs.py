"""Programs under the whole limiter on fake cards: no path to memory leads past the limit."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.autoscaler.agent.native.hooked_process import limiter
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page
from tests.fakes.gpu.building import Route
from tests.fakes.gpu.cards import GIB, MIB, CardTraits, FakeCards, make_cards
from tests.fakes.gpu.programs import RunningProgram

CONTEXT_BYTES = 545 * MIB
LIMIT_BYTES = 2 * GIB
CARD_BYTES = 8 * GIB
OUT_OF_MEMORY = 2
MANAGED = "managed"
"""Counts in full, wherever its pages are; untouched, it is not on the card."""
POOLED = ["async", "stream", "pool"]
PATHS = ["plain", "pitch", MANAGED, *POOLED, "create", "array", "graph"]
STEP_BYTES = 32 * MIB
"""By which pools grow."""
KEEP_ALL = 2**64 - 1
"""A threshold of pools; PyTorch sets it."""
ROUTES: list[Route] = ["dlsym", "linked", "proc_address"]


@pytest.fixture
def cards(tmp_path: Path) -> Iterator[FakeCards]:
    made = make_cards(tmp_path / "cards", CardTraits(total_bytes=CARD_BYTES))
    yield made
    made.close()


@pytest.fixture
def pod(tmp_path: Path) -> PodFolder:
    return PodFolder(tmp_path / "tensor-fusion")


def _environment(cards: FakeCards, pod: PodFolder) -> dict[str, str]:
    """Return what an admitted pod's programs have in theirs."""
    return {
        "TF_ROOT": str(pod.root),
        "TF_CTL_WAIT": "0",
        "TF_LIMIT_VRAM": str(LIMIT_BYTES),
        "NVIDIA_VISIBLE_DEVICES": cards.cards[0].uuid,
    }


def _memory(cards: FakeCards, pod: PodFolder, route: Route = "dlsym") -> RunningProgram:
    """Start the program that takes memory, as in an admitted pod."""
    environment = _environment(cards, pod)
    program = RunningProgram(
        "memory", cards, route=route, environment=environment, preload=limiter()
    )
    program.answer()
    return program


def _take(program: RunningProgram, path: str, size_bytes: int) -> int:
    return int(program.ask(f"take {path} {size_bytes}")["result"])


def _fill(program: RunningProgram, path: str, step_bytes: int) -> int:
    """Take until it is denied; return how much was granted."""
    granted_bytes = 0
    while (result := _take(program, path, step_bytes)) == 0:
        granted_bytes += step_bytes
    assert result == OUT_OF_MEMORY
    return granted_bytes


@pytest.mark.parametrize("path", PATHS)
def test_a_program_gets_its_limit_and_not_a_byte_more(
    cards: FakeCards, pod: PodFolder, path: str
) -> None:
    with _memory(cards, pod) as program:
        granted_bytes = _fill(program, path, 96 * MIB)
        assert granted_bytes == (LIMIT_BYTES - CONTEXT_BYTES) // (96 * MIB) * 96 * MIB
        assert pod.held_bytes(0) == CONTEXT_BYTES + granted_bytes
        on_card_bytes = 0 if path == MANAGED else granted_bytes
        assert cards.cards[0].held_bytes() == CONTEXT_BYTES + on_card_bytes
        assert _take(program, path, 2 * MIB) == 0
        assert cards.cards[0].held_bytes() <= LIMIT_BYTES
        for _ in range(granted_bytes // (96 * MIB) + 1):
            assert program.ask("give")["result"] == 0
        program.ask("wait")
        assert cards.cards[0].held_bytes() == CONTEXT_BYTES == pod.held_bytes(0)


@pytest.mark.parametrize("path", POOLED)
@pytest.mark.parametrize("size_bytes", [MIB, 100 * MIB, 500 * MIB])
def test_a_pool_never_holds_more_than_the_limit_leaves(
    cards: FakeCards, pod: PodFolder, path: str, size_bytes: int
) -> None:
    """Asked for is less than what the driver takes; the most of it is granted all the same."""
    with _memory(cards, pod) as program:
        program.ask(f"threshold {KEEP_ALL}")
        granted_bytes = _fill(program, path, size_bytes)
        held_bytes = cards.cards[0].held_bytes()
        assert held_bytes == pod.held_bytes(0) <= LIMIT_BYTES
        assert LIMIT_BYTES - CONTEXT_BYTES - granted_bytes < size_bytes + STEP_BYTES
        program.ask("give")
        program.ask("wait")
        assert cards.cards[0].held_bytes() == held_bytes == pod.held_bytes(0)
        assert _take(program, path, size_bytes) == 0


@pytest.mark.parametrize("path", [path for path in PATHS if path != MANAGED])
def test_what_a_pool_keeps_without_use_is_given_to_every_path(
    cards: FakeCards, pod: PodFolder, path: str
) -> None:
    with _memory(cards, pod) as program:
        program.ask(f"threshold {KEEP_ALL}")
        for pool in ("async", "pool"):
            assert _take(program, pool, 700 * MIB) == 0
        for _ in range(2):
            program.ask("give")
        program.ask("wait")
        assert cards.cards[0].held_bytes() == CONTEXT_BYTES + 1408 * MIB == pod.held_bytes(0)
        assert _take(program, path, 1400 * MIB) == 0
        assert cards.cards[0].held_bytes() == pod.held_bytes(0) <= LIMIT_BYTES
    gpu = pod.read_use().gpu[0]
    assert (gpu.denied_allocations, gpu.denied_bytes) == (0, 0)


def test_what_the_driver_lets_go_of_at_a_wait_is_there_for_another_process(
    cards: FakeCards, pod: PodFolder
) -> None:
    with _memory(cards, pod) as program, _memory(cards, pod) as other:
        assert _take(program, "async", 900 * MIB) == 0
        assert _take(other, "plain", 500 * MIB) == OUT_OF_MEMORY
        program.ask("give")
        program.ask("wait")
        assert _take(other, "plain", 900 * MIB) == 0
        assert cards.cards[0].held_bytes() == pod.held_bytes(0) <= LIMIT_BYTES


def test_the_pool_of_a_streams_device_is_charged_whichever_is_current(
    tmp_path: Path, pod: PodFolder
) -> None:
    cards = make_cards(tmp_path / "two", CardTraits(), CardTraits())
    environment = _environment(cards, pod) | {
        "NVIDIA_VISIBLE_DEVICES": ",".join(card.uuid for card in cards.cards)
    }
    with RunningProgram("memory", cards, environment=environment, preload=limiter()) as program:
        program.answer()
        program.ask("stand 1")
        _fill(program, "stream", 100 * MIB)
        for index, card in enumerate(cards.cards):
            assert card.held_bytes() == pod.held_bytes(index) <= LIMIT_BYTES
        assert cards.cards[0].held_bytes() > LIMIT_BYTES - 100 * MIB - STEP_BYTES
        assert cards.cards[1].held_bytes() == CONTEXT_BYTES
    cards.close()


def test_a_pool_that_is_trimmed_is_charged_no_more(cards: FakeCards, pod: PodFolder) -> None:
    with _memory(cards, pod) as program:
        program.ask(f"threshold {KEEP_ALL}")
        _take(program, "async", 100 * MIB)
        program.ask("give")
        program.ask("wait")
        shown = program.ask("trim")
        assert shown["free_bytes"] == LIMIT_BYTES - CONTEXT_BYTES
        assert cards.cards[0].held_bytes() == CONTEXT_BYTES == pod.held_bytes(0)


@pytest.mark.parametrize("route", ROUTES)
def test_the_limit_holds_however_a_program_finds_the_driver(
    cards: FakeCards, pod: PodFolder, route: Route
) -> None:
    with _memory(cards, pod, route) as program:
        assert _fill(program, "plain", 100 * MIB) == 1500 * MIB


def test_paths_share_one_limit(cards: FakeCards, pod: PodFolder) -> None:
    with _memory(cards, pod) as program:
        assert [_take(program, path, 128 * MIB) for path in PATHS] == [0] * len(PATHS)
        assert _take(program, "plain", 400 * MIB) == OUT_OF_MEMORY
        assert cards.cards[0].held_bytes() == pod.held_bytes(0) - 128 * MIB  # the managed ones
    gpu = pod.read_use().gpu[0]
    assert (gpu.denied_allocations, gpu.denied_bytes) == (1, 400 * MIB)


@pytest.mark.parametrize("path", POOLED)
def test_processes_of_a_pod_share_its_limit(cards: FakeCards, pod: PodFolder, path: str) -> None:
    with _memory(cards, pod) as first, _memory(cards, pod) as second:
        for _ in range(6):
            first.tell(f"take plain {96 * MIB}")
            second.tell(f"take {path} {96 * MIB}")
        answers = [program.answer()["result"] for _ in range(6) for program in (first, second)]
        granted = answers.count(0)
        assert granted == (LIMIT_BYTES - 2 * CONTEXT_BYTES) // (96 * MIB)
        assert answers.count(OUT_OF_MEMORY) == 12 - granted
        assert cards.cards[0].held_bytes() == pod.held_bytes(0) <= LIMIT_BYTES


def test_threads_of_a_process_share_its_limit(cards: FakeCards, pod: PodFolder) -> None:
    words = ("--threads", 8, "--launches", 500, "--kernel-ns", 1000, "--take-bytes", 400 * MIB)
    environment = _environment(cards, pod)
    with RunningProgram(
        "threads", cards, *words, environment=environment, preload=limiter()
    ) as program:
        ended = threading.Thread(target=program.answer)
        ended.start()
        most_bytes = 0
        while ended.is_alive():
            most_bytes = max(most_bytes, cards.cards[0].held_bytes())
    assert 0 < most_bytes <= LIMIT_BYTES


def test_memory_of_a_killed_program_is_there_for_the_next(cards: FakeCards, pod: PodFolder) -> None:
    with _memory(cards, pod) as victim:
        _fill(victim, "plain", 100 * MIB)
        victim.kill()
    with _memory(cards, pod) as program:
        assert _fill(program, "plain", 100 * MIB) == 1500 * MIB
        assert cards.cards[0].held_bytes() == pod.held_bytes(0)


def test_a_program_that_ends_leaves_nothing(cards: FakeCards, pod: PodFolder) -> None:
    with _memory(cards, pod) as program:
        _take(program, "plain", 100 * MIB)
        program.finish()
    assert pod.held_bytes(0) == 0


def test_a_real_lack_of_memory_is_not_charged(cards: FakeCards, pod: PodFolder) -> None:
    other = PodFolder(pod.root.parent / "other")
    ctl = control_page([cards.cards[0].uuid])
    ctl.gpu[0].memory_limit_bytes = CARD_BYTES
    other.write_ctl(ctl)
    with _memory(cards, other) as neighbour, _memory(cards, pod) as program:
        assert _take(neighbour, "plain", 6 * GIB) == 0
        assert _take(program, "plain", 1 * GIB) == OUT_OF_MEMORY
        assert pod.held_bytes(0) == CONTEXT_BYTES
        assert pod.read_use().gpu[0].denied_allocations == 0


def test_a_program_sees_its_limit_as_the_card(cards: FakeCards, pod: PodFolder) -> None:
    def shown(answer: Mapping[str, Any]) -> tuple[int, int]:
        return answer["total_bytes"], answer["free_bytes"]

    with _memory(cards, pod) as program:
        before = shown(program.ask("info"))
        after = shown(program.ask(f"take plain {100 * MIB}"))
    assert before == (LIMIT_BYTES, LIMIT_BYTES - CONTEXT_BYTES)
    assert after == (LIMIT_BYTES, LIMIT_BYTES - CONTEXT_BYTES - 100 * MIB)


def test_a_raised_limit_is_there_at_the_next_allocation(cards: FakeCards, pod: PodFolder) -> None:
    ctl = control_page([cards.cards[0].uuid])
    ctl.gpu[0].memory_limit_bytes = LIMIT_BYTES
    pod.write_ctl(ctl)
    with _memory(cards, pod) as program:
        _fill(program, "plain", 100 * MIB)
        ctl.gpu[0].memory_limit_bytes = LIMIT_BYTES + 100 * MIB
        pod.write_ctl(ctl)
        assert _fill(program, "plain", 100 * MIB) == 100 * MIB
