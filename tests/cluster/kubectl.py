"""``kubectl`` as a user runs it, against the control plane of a test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.child_processes import passed_on
from tests.components.programs import find_program

DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that ended."""

    command: str
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the JSON that it printed; a command that failed is an ``AssertionError``."""
        return json.loads(self.well().out)

    def well(self) -> Ended:
        """Return itself; raises ``AssertionError`` with what it wrote where it failed."""
        if self.code != 0:
            raise AssertionError(f"{self.command} ended with {self.code}: {self.err or self.out}")
        return self


def run_kubectl(
    arguments: Sequence[str],
    *,
    kubeconfig: Path,
    stdin: str | None = None,
    deadline_s: float = DEADLINE_S,
) -> Ended:
    """Run kubectl to its end.  Raises ``subprocess.TimeoutExpired`` where it does not end."""
    done = subprocess.run(
        [find_program("kubectl"), "--kubeconfig", kubeconfig, *arguments],
        input=stdin or "",
        capture_output=True,
        text=True,
        check=False,
        timeout=deadline_s,
        env=passed_on() | {"HOME": str(kubeconfig.parent)},
    )
    return Ended(
        command=f"kubectl {' '.join(map(str, arguments))}",
        code=done.returncode,
        out=done.stdout,
        err=done.stderr,
    )
