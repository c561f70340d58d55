"""Law, costs and meter build everywhere without a word, and need nothing that is there."""

import subprocess
from pathlib import Path

import pytest

from tests.autoscaler.agent.native.built import METER, Compiler, built_library, compilers

STRICT_C11 = ["-std=c11", "-fvisibility=hidden", "-Wshadow", "-Wstrict-prototypes"]
TARGETS = ["x86_64-linux-gnu.2.17", "aarch64-linux-gnu.2.17", "x86_64-linux-musl"]
# Copying and clearing of memory, which compilers call by themselves.
ALLOWED = {"memcpy", "memset", "memmove"}


def undefined_symbols(library: Path) -> set[str]:
    listed = subprocess.run(
        ["nm", "--dynamic", "--undefined-only", "--format=posix", str(library)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in listed.stdout.splitlines()]
    return {name.split("@")[0] for name, kind, *_ in lines if kind not in "wv"}


@pytest.mark.parametrize("compiler", compilers())
def test_both_compilers_build_them_as_c11_without_a_warning(compiler: Compiler):
    assert built_library(METER, flags=STRICT_C11, compiler=compiler).exists()


@pytest.mark.parametrize("target", TARGETS)
def test_they_build_for_every_target_and_need_nothing_there(target: str):
    flags = [*STRICT_C11, "-target", target, "-nostdlib"]
    library = built_library(METER, flags=flags, compiler="zig")
    assert undefined_symbols(library) <= ALLOWED


def test_they_keep_nothing_in_storage_of_threads():
    sections = subprocess.run(
        ["readelf", "--section-headers", "--wide", str(built_library(METER, flags=STRICT_C11))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ".text" in sections.stdout
    assert ".tbss" not in sections.stdout
    assert ".tdata" not in sections.stdout
