"""Code blocks of documentation pages, and a shell in which the pages' commands run."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEAD = re.compile(r"^## (.+)$", re.MULTILINE)


def blocks(page: str, head: str, language: str) -> list[str]:
    """Return the code blocks of a language in one section of a page."""
    _, *parts = HEAD.split((ROOT / "docs" / page).read_text(encoding="utf-8"))
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    return [text for name, text in BLOCK.findall(sections[head]) if name == language]


def make_tfa(path: Path) -> None:
    """Write a program ``tfa`` that is the code under test."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m autoscaler "$@"\n')
    path.chmod(0o755)


def run_in(folder: Path, commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands in a folder, until one fails."""
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", commands],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
