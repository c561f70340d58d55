"""The library loads wherever a container may start, and harms nothing that does not use CUDA."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from autoscaler.agent.native.build import ARCHITECTURES, OLDEST_GLIBC, built, installer, limiter
from tests.autoscaler.agent.native.built import ROOT, built_library, built_program
from tests.autoscaler.agent.native.elf import Library
from tests.autoscaler.agent.native.pod_pages import PodFolder, control_page
from tests.autoscaler.agent.native.symbol_table import hooks, nvml_hooks
from tests.components.lacking import lacks
from tests.components.loaders import MISSING_MUSL, MISSING_QEMU, find_musl, find_qemu
from tests.fakes.gpu.cards import CardTraits, make_cards
from tests.fakes.gpu.programs import RunningProgram

HERE = Path(__file__).parent
FOLDER = ROOT / "build" / "limiter"
FOUND = "puts found\ndlsym itself\nnothing absent\nerror said\n"
WEAK = {"dladdr", "dlopen", "dlvsym"}
NOBODY = 65534


@cache
def library(architecture: str = platform.machine()) -> Path:
    return built(limiter(architecture, FOLDER))


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.removeprefix("GLIBC_").split("."))


def run(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a command with the library preloaded; return its status and what it wrote."""
    added = {"LD_PRELOAD": str(library())} if environment is None else dict(environment)
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | added,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_needs_no_newer_glibc_than_the_oldest_that_is_promised(architecture):
    versions = Library(library(architecture)).needed_versions.values()
    assert max(map(numbers, versions)) <= numbers(OLDEST_GLIBC)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_needs_the_c_library_alone(architecture):
    made = Library(library(architecture))
    assert (made.machine, made.needed) == (architecture, ["libc.so.6"])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_asks_for_no_thread_storage_and_no_executable_stack(architecture):
    made = Library(library(architecture))
    assert not made.has_thread_storage
    assert not made.has_executable_stack


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_exports_the_hooked_names_and_nothing_else(architecture):
    exported = {
        symbol.name for symbol in Library(library(architecture)).symbols if symbol.is_defined
    }
    versions = {"GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.34"}
    wanted = {hook.exported for hook in hooks()} | set(nvml_hooks()) | {"dlsym"}
    assert wanted == exported - versions


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_other_c_libraries_lack_is_weak_and_our_dlsym_is_hidden_from_them(architecture):
    symbols = Library(library(architecture)).symbols
    assert {symbol.name for symbol in symbols if not symbol.is_defined and symbol.is_weak} == WEAK
    assert not any(symbol.is_default_version for symbol in symbols if symbol.name == "dlsym")


def test_a_program_finds_its_own_functions_as_before():
    assert run([built_program([HERE / "loading.c"], flags=["-ldl"])]) == (7, FOUND, "")


@pytest.mark.parametrize("shell", [name for name in ("sh", "bash", "dash") if shutil.which(name)])
def test_a_shell_and_what_it_starts_run_as_before(shell):
    assert run([shell, "-c", "echo one | cat; exit 3"]) == (3, "one\n", "")


def test_a_process_without_cuda_has_no_file_and_no_thread_of_ours_but_the_library():
    look = (
        "import os; print(len(os.listdir('/proc/self/task')), len(os.listdir('/proc/self/fd')),"
        " sorted({line.split()[5] for line in open('/proc/self/maps')"
        " if len(line.split()) > 5 and 'tensorfusion-limiter' not in line}))"
    )
    plain = run([sys.executable, "-I", "-c", look], {})
    assert plain == run([sys.executable, "-I", "-c", look])


def test_a_static_program_runs_as_before():
    status, _out, error = run([built(installer(platform.machine(), FOLDER))])
    assert (status, error) == (1, "argument --library=: is missing\n")


def test_a_setuid_program_runs_without_it(tmp_path: Path):
    if os.geteuid() != 0:
        lacks("only root makes a program setuid")
    program = tmp_path / "ids"
    shutil.copy(shutil.which("id") or "/usr/bin/id", program)
    program.chmod(0o4755)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        [program, "-u"],
        env={"LD_PRELOAD": str(library())},
        user=NOBODY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "0\n")


def test_a_program_of_musl_runs_as_before():
    if find_musl() is None:
        lacks(MISSING_MUSL)
    target = f"--target={platform.machine()}-linux-musl"
    program = built_program([HERE / "loading.c"], flags=[target, "-dynamic"], compiler="zig")
    assert run([program], {}) == (7, FOUND, "")
    assert run([program]) == (7, FOUND, "")


def test_a_program_of_arm64_runs_as_before():
    emulator = find_qemu()
    if emulator is None:
        lacks(MISSING_QEMU)
    target = "--target=aarch64-linux-gnu.2.34"
    program = built_program([HERE / "loading.c"], flags=[target], compiler="zig")
    preload = ["-E", f"LD_PRELOAD={library('aarch64')}"]
    assert run([*emulator, *preload, program], {}) == (7, FOUND, "")


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("route", ["linked", "dlsym"])
def test_another_preload_keeps_its_turn_on_either_side(tmp_path, is_first, route):
    neighbour = built_library([HERE / "neighbour.c"], flags=["-ldl"])
    both = [library(), neighbour] if is_first else [neighbour, library()]
    cards = make_cards(tmp_path / "cards", CardTraits())
    pod = PodFolder(tmp_path / "pod")
    pod.write_ctl(control_page([cards.cards[0].uuid]))
    environment = {"TF_ROOT": str(pod.root), "LD_PRELOAD": ":".join(map(str, both))}
    words = ("--kernel-ns", "200000", "--seconds", "0.2")
    log = tmp_path / "log"
    with RunningProgram(
        "load", cards, *words, route=route, environment=environment, log=log
    ) as program:
        told = program.finish()
    assert told[-1]["launches"] > 0
    assert pod.read_use().gpu[0].launches == told[-1]["launches"]
    assert (log.read_text() == "neighbour\n") == (route == "linked")
