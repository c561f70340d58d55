"""A ``go`` command for tests of the building itself: a script that does what a test writes into it.

It answers ``go version`` with a release and notes each build that it is asked for.
"""

from __future__ import annotations

from pathlib import Path

from tests.components.catalogue import Component
from tests.components.golang import Go

RELEASE = "go1.26.8 linux/amd64"
WRITES_THE_PROGRAM = 'echo program > "$out" && chmod +x "$out"'


def fake_go(
    folder: Path, *, release: str = RELEASE, on_build: str = WRITES_THE_PROGRAM, exit_code: int = 0
) -> Go:
    """Write the script into ``folder``; ``on_build`` is shell text, ``$out`` the output's path."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "go"
    program.write_text(
        f"""#!/bin/sh
[ "$1" = version ] && {{ echo "go version {release}"; exit {exit_code}; }}
echo "$*" >> {folder / "builds"}
while [ "$1" != -o ]; do shift; done
out="$2"
{on_build}
""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return Go(program=program, description=release)


def builds_of(go: Go) -> list[str]:
    """Return the arguments of each build that the script was asked for."""
    notes = go.program.with_name("builds")
    return notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []


def fake_component(folder: Path, *, needs: str = "1.26.7") -> Component:
    """Write a Go module into ``folder`` and return its row."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text(f"module m\n\ngo {needs}\n", encoding="utf-8")
    (folder / "go.sum").write_text("sum\n", encoding="utf-8")
    return Component(
        name="server",
        module=folder,
        programs={"serverd": "example.test/serverd", "serverctl": "example.test/ctl"},
        usual_time="a moment",
    )
