"""Code blocks of documentation pages, and a shell in which the pages' commands run.

``tests/test_console_blocks.py`` says which test runs which block.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = "../README.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEAD = re.compile(r"^## (.+)$", re.MULTILINE)
BEFORE_THE_FIRST_HEAD = ""
YES = b"y\n" * 8
"""What somebody answers who is asked and agrees."""


def sections(page: str) -> dict[str, str]:
    """Return the text of each section of a page of ``docs`` by its head."""
    first, *parts = HEAD.split((DOCS / page).read_text(encoding="utf-8"))
    return {BEFORE_THE_FIRST_HEAD: first, **dict(zip(parts[::2], parts[1::2], strict=True))}


def blocks(page: str, head: str, language: str) -> list[str]:
    """Return the code blocks of a language in one section of a page."""
    return [text for name, text in BLOCK.findall(sections(page)[head]) if name == language]


def replaced(commands: str, old: str, new: str, *, count: int = 1) -> str:
    """Replace what a page cannot know of a test; it stands there exactly so often."""
    assert commands.count(old) == count, f"{old!r} does not stand {count} times in:\n{commands}"
    return commands.replace(old, new)


def without(commands: str, *words: str) -> str:
    """Leave out the lines with these words, each of which one line has."""
    lines = commands.splitlines(keepends=True)
    for each in words:
        [line] = [line for line in lines if each in line]
        lines.remove(line)
    return "".join(lines)


def make_tfa(path: Path) -> None:
    """Write a program ``tfa`` that is the code under test."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m autoscaler "$@"\n')
    path.chmod(0o755)


def run_in(
    folder: Path, commands: str, *, programs: Sequence[Path] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run commands in a folder, until one fails, on a terminal where somebody agrees to all.

    ``programs`` are folders in which programs are looked for first.
    """
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    person, terminal = os.openpty()
    try:
        os.write(person, YES)
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", commands],
            cwd=folder,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **environment},
            stdin=terminal,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(terminal)
        os.close(person)
