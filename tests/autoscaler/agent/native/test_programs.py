"""Programs of the driver API run under the limiter, on the fake driver, by every way to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.agent.pages.abi import ONE_Q32
from tests.autoscaler.agent.native.hooked_process import limiter
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page
from tests.fakes.gpu.building import Route
from tests.fakes.gpu.cards import CardTraits, FakeCards, make_cards
from tests.fakes.gpu.programs import run_program

ROUTES: tuple[Route, ...] = ("linked", "dlsym", "proc_address")
WORDS = ("--kernel-ns", "100000", "--seconds", "0.3")


def scene(folder: Path, share: float, gpus: int = 1) -> tuple[FakeCards, PodFolder]:
    cards = make_cards(folder / "cards", *[CardTraits()] * gpus)
    pod = PodFolder(folder / "pod")
    ctl = control_page([card.uuid for card in cards.cards])
    for gpu in ctl.gpu[:gpus]:
        gpu.share_q32 = round(ONE_Q32 * share)
    pod.write_ctl(ctl)
    return cards, pod


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_every_launch_is_counted_by_every_way_to_the_driver(tmp_path, route, share):
    cards, pod = scene(tmp_path, share)
    told = run_program(
        "load",
        cards,
        *WORDS,
        route=route,
        environment={"TF_ROOT": str(pod.root)},
        preload=limiter(),
    )
    counted = pod.read_use().gpu[0]
    assert told[-1]["launches"] == counted.launches > 0
    assert cards.cards[0].card_ledger().all.kernels == counted.launches


def test_half_of_alternating_launches_go_past_the_limiter(tmp_path):
    cards, pod = scene(tmp_path, 1.0)
    (told,) = run_program(
        "alternating",
        cards,
        *("--block", 128, "--seconds", 0.05),
        environment={"TF_ROOT": str(pod.root)},
        preload=limiter(),
    )
    # Before the blocks that are told of, eight of each kind are launched.
    through = sum(is_through for is_through, _ in told["blocks"])
    assert through == len(told["blocks"]) / 2
    assert pod.read_use().gpu[0].launches == (8 + through) * 128
    assert cards.cards[0].card_ledger().all.kernels == (16 + 2 * through) * 128


@pytest.mark.parametrize("route", ROUTES)
def test_a_held_program_waits_and_its_wait_is_told(tmp_path, route):
    cards, pod = scene(tmp_path, 0.1)
    run_program(
        "load",
        cards,
        *WORDS,
        route=route,
        environment={"TF_ROOT": str(pod.root)},
        preload=limiter(),
    )
    assert pod.read_use().gpu[0].blocked_ns > 0


@pytest.mark.parametrize(
    "words",
    [
        ("--before", "yes"),
        ("--before", "no"),
        ("--exec", "yes"),
    ],
)
def test_a_program_that_forks_is_told_what_it_is_told_without_the_limiter(tmp_path, words):
    cards, pod = scene(tmp_path, 0.5)
    plain = run_program("forking", cards, *words)
    limited = run_program(
        "forking", cards, *words, environment={"TF_ROOT": str(pod.root)}, preload=limiter()
    )
    assert plain == limited


@pytest.mark.parametrize("mode", ["global", "thread", "relaxed"])
def test_a_capture_succeeds_in_every_mode_and_its_graph_counts_as_one_launch(tmp_path, mode):
    cards, pod = scene(tmp_path, 0.5)
    told = run_program(
        "graph",
        cards,
        *("--mode", mode, "--replays", "7"),
        environment={"TF_ROOT": str(pod.root)},
        preload=limiter(),
    )
    assert (told[-1]["end"], told[-1]["launches"]) == (0, 7)
    assert pod.read_use().gpu[0].launches == 7


@pytest.mark.parametrize("gpus", [1, 2])
def test_work_that_waits_for_work_behind_it_goes_on(tmp_path, gpus):
    cards, pod = scene(tmp_path, 0.3, gpus)
    told = run_program(
        "dependent",
        cards,
        *("--devices", gpus, "--rounds", "10"),
        environment={"TF_ROOT": str(pod.root)},
        preload=limiter(),
    )
    assert told[-1]["rounds"] == 10
