"""The whole limiter under sanitizers: programs on the fake driver, with many threads, end clean."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

from autoscaler.agent.pages.abi import ONE_Q32
from tests.autoscaler.agent.native.built import compilers
from tests.autoscaler.agent.native.hooked_process import limiter
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page
from tests.components.lacking import lacks
from tests.fakes.gpu.cards import MIB, CardTraits, FakeCards, make_cards
from tests.fakes.gpu.programs import RunningProgram

SANITIZERS = {
    "address": ("-fsanitize=address", "libasan.so"),
    "undefined": ("-fsanitize=undefined", "libubsan.so"),
    "thread": ("-fsanitize=thread", "libtsan.so"),
}


@cache
def runtime(name: str) -> Path:
    """Return the library that a sanitizer's code needs in the process before all others."""
    if "gcc" not in compilers():
        lacks("no gcc with its sanitizers")
    asked = ["gcc", f"-print-file-name={name}"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(found).is_absolute():
        lacks(f"gcc has no {name}")
    return Path(found).resolve()


def watched(
    folder: Path, sanitizer: str, share: float
) -> tuple[FakeCards, PodFolder, dict[str, str]]:
    """Return a pod with a share of one card, and the environment of its programs."""
    flag, name = SANITIZERS[sanitizer]
    cards = make_cards(folder / "cards", CardTraits())
    pod = PodFolder(folder / "pod")
    ctl = control_page([cards.cards[0].uuid])
    ctl.gpu[0].share_q32 = round(ONE_Q32 * share)
    pod.write_ctl(ctl)
    environment = {
        "TF_ROOT": str(pod.root),
        "LD_PRELOAD": f"{runtime(name)}:{limiter(flag, '-fno-sanitize-recover=all')}",
        # What the program and the fake driver leave to the end of the process is theirs.
        "ASAN_OPTIONS": "detect_leaks=0",
        "TSAN_OPTIONS": "report_thread_leaks=0",
    }
    return cards, pod, environment


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_a_program_of_several_streams_ends_without_a_word_of_the_sanitizer(
    tmp_path, sanitizer, share
):
    cards, pod, environment = watched(tmp_path, sanitizer, share)
    log = tmp_path / "log"
    words = ("--kernel-ns", "50000,200000", "--streams", "4", "--seconds", "0.5")
    with RunningProgram("load", cards, *words, environment=environment, log=log) as program:
        told = program.finish()
    assert log.read_text() == ""
    assert told[-1]["launches"] == pod.read_use().gpu[0].launches > 0


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_threads_that_launch_at_once_are_counted_without_a_word_of_the_sanitizer(
    tmp_path, sanitizer, share
):
    cards, pod, environment = watched(tmp_path, sanitizer, share)
    log = tmp_path / "log"
    words = ("--threads", "8", "--launches", "300", "--kernel-ns", "5000")
    with RunningProgram("threads", cards, *words, environment=environment, log=log) as program:
        program.finish()
    assert log.read_text() == ""
    assert pod.read_use().gpu[0].launches == 2400


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_threads_that_take_from_one_pool_end_without_a_word_of_the_sanitizer(tmp_path, sanitizer):
    cards, pod, environment = watched(tmp_path, sanitizer, 1.0)
    ctl = control_page([cards.cards[0].uuid])
    ctl.gpu[0].share_q32 = ONE_Q32
    ctl.gpu[0].memory_limit_bytes = 700 * MIB
    pod.write_ctl(ctl)
    log = tmp_path / "log"
    words = ("--threads", "8", "--launches", "200", "--kernel-ns", "5000", "--take-bytes", 60 * MIB)
    with RunningProgram("threads", cards, *words, environment=environment, log=log) as program:
        told = program.finish()
    assert log.read_text() == ""
    assert told[-1]["refused"] == pod.read_use().gpu[0].denied_allocations
