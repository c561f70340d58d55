"""Runs one experiment in a process of its own, and ends all that it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.gpu.experiments.catalogue import Experiment
from tests.benchmarks.gpu.lab import Setting
from tests.benchmarks.gpu.one import RECORD
from tests.benchmarks.gpu.outcomes import Outcome, recorded
from tests.fakes.gpu.cards import CardTraits, make_cards

ROOT = Path(__file__).resolve().parents[3]
LINES_OF_A_LOG = 3
CODE_BYTES = 84 * 2**20
"""Of kernels, on the fake card: as PyTorch was seen to have on an H100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Where experiments run."""

    folder: Path
    is_fake: bool

    def folder_of(self, experiment: Experiment) -> Path:
        """Return the folder of an experiment: its record, logs, and pages."""
        return self.folder / f"{experiment.number:02}"

    def environment(self, experiment: Experiment) -> Mapping[str, str]:
        """Return what its processes need to see the card; a fake one is its own."""
        if not self.is_fake:
            return os.environ
        cards = make_cards(self.folder_of(experiment) / "cards", CardTraits(code_bytes=CODE_BYTES))
        try:
            return os.environ | cards.environment()
        finally:
            cards.close()


def run_one(running: Running, experiment: Experiment, setting: Setting, limit_s: float) -> Outcome:
    """Make an experiment, for at most so long, and return what it came to."""
    folder = running.folder_of(experiment)
    folder.mkdir(parents=True)
    begin_s = time.monotonic()
    ended = _run(running, experiment, setting, limit_s)
    found = recorded(folder / RECORD)
    if found.ending is None:
        problem = f"{ended}: {_end_of_log(folder)}".rstrip(": ")
    else:
        problem = found.problem
    return Outcome(
        number=experiment.number,
        title=experiment.title,
        pass_line=experiment.pass_line,
        ending=found.ending or "failed",
        ran=found.ran,
        problem=problem,
        rows=found.rows,
        duration_s=time.monotonic() - begin_s,
    )


def _run(running: Running, experiment: Experiment, setting: Setting, limit_s: float) -> str:
    """Run its process; return how it ended."""
    folder = running.folder_of(experiment)
    words = (str(experiment.number), str(folder), json.dumps(asdict(setting)))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.gpu.one", *words],
            cwd=ROOT,
            env=dict(running.environment(experiment)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            return f"ended with {process.wait(limit_s)}"
        except subprocess.TimeoutExpired:
            return f"hung: ended after {limit_s:.0f} s"
        finally:
            # It leads a group of its own, in which are its agent and workers.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _end_of_log(folder: Path) -> str:
    text = (folder / "log").read_text(encoding="utf-8", errors="replace")
    return " ".join(text.splitlines()[-LINES_OF_A_LOG:])
