"""The texts that were named: files, folders of YAML files, and standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

STANDARD_INPUT = Path("-")
SUFFIXES = (".yaml", ".yml")
LARGEST_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One text, or why there is none."""

    path: Path
    text: str = ""
    problem: str = ""

    @property
    def name(self) -> str:
        """Return what it is called in messages."""
        return "<stdin>" if self.path == STANDARD_INPUT else str(self.path)


def read_inputs(paths: Iterable[Path]) -> Iterator[InputFile]:
    """Yield each file once: those that were named, and the YAML files below named folders."""
    files = (file for path in paths for file in _files(path))
    for path in dict.fromkeys(files):
        yield _read(path)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    return sorted(file for file in found if file.is_file())


def _read(path: Path) -> InputFile:
    try:
        if path == STANDARD_INPUT:
            content = sys.stdin.buffer.read(LARGEST_BYTES + 1)
        else:
            with path.open("rb") as file:
                content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        return InputFile(path=path, problem=f"cannot be read: {error.strerror}")
    if len(content) > LARGEST_BYTES:
        limit_mib = LARGEST_BYTES >> 20
        return InputFile(path=path, problem=f"is too large; allowed: at most {limit_mib} MiB")
    try:
        return InputFile(path=path, text=content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"is not UTF-8 text ({error.reason} in line {line})"
        return InputFile(path=path, problem=problem)
