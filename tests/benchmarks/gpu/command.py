"""``tests/benchmarks/gpu/run``: the fifteen experiments on a GPU, as a table and as JSON.

Each runs in processes of its own with a time limit, so that one that hangs costs only itself.  With
--card fake they run on the fake driver, which shows that they run, and nothing about a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoscaler.agent.native.build import BuildError, built, limiter
from autoscaler.version import tool_version
from tests.benchmarks.gpu.experiments.catalogue import EXPERIMENTS, Experiment
from tests.benchmarks.gpu.lab import Setting
from tests.benchmarks.gpu.one import CARD
from tests.benchmarks.gpu.outcomes import Outcome, write_document
from tests.benchmarks.gpu.own_processes import Running, run_one
from tests.benchmarks.gpu.sizes import SIZES
from tests.benchmarks.gpu.tables import markdown

ROOT = Path(__file__).resolve().parents[3]
DESCRIBE = Experiment(0, "the card", "", lambda _: None)
DESCRIBE_LIMIT_S, TORCH_LIMIT_S = 60.0, 120.0
TORCH_QUESTION = "import torch; print(torch.__version__, torch.cuda.is_available())"


def main(words: Sequence[str]) -> int:
    """Return 0 where nothing was missed or failed, 1 where something was, 3 without a GPU."""
    flags = _parser().parse_args(words)
    chosen = [each for each in EXPERIMENTS if flags.only is None or each.number in flags.only]
    folder = flags.into.resolve()
    shutil.rmtree(folder / "work", ignore_errors=True)
    (folder / "work").mkdir(parents=True)
    try:
        library = built(limiter(platform.machine(), ROOT / "build" / "limiter"))
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    running = Running(folder=folder / "work", is_fake=flags.card == "fake")
    setting = _setting(flags, str(library))
    outcomes, card = _all(running, setting, chosen)
    about = {
        "version": tool_version(),
        "card": card,
        "workers": setting.workers,
        "size": setting.size,
        "fake": running.is_fake,
    }
    write_document(folder / "experiments.json", about, outcomes)
    (folder / "experiments.md").write_text(markdown(about, outcomes), encoding="utf-8")
    print(f"{folder}/experiments.md, {folder}/experiments.json")
    if not card:
        return 3
    return 1 if {"missed", "failed"} & {each.verdict for each in outcomes} else 0


def _all(
    running: Running, setting: Setting, chosen: Sequence[Experiment]
) -> tuple[list[Outcome], dict[str, Any]]:
    """Return what every experiment came to, and what the card is; nothing where there is none."""
    described = run_one(running, DESCRIBE, setting, DESCRIBE_LIMIT_S)
    if described.ending != "ended":
        print(f"no experiment can be run: {described.problem}", flush=True)
        return [
            replace(
                described,
                number=each.number,
                title=each.title,
                pass_line=each.pass_line,
                ending="not run",
            )
            for each in chosen
        ], {}
    card = json.loads((running.folder_of(DESCRIBE) / CARD).read_text(encoding="utf-8"))
    setting = replace(setting, turns_per_us=card.get("turns_per_us", setting.turns_per_us))
    if not running.is_fake:
        # Of several cards, workers see the one that is measured.
        os.environ["CUDA_VISIBLE_DEVICES"] = card["uuid"]
    outcomes = []
    for each in chosen:
        outcome = run_one(running, each, setting, setting.sizes.time_limit_s)
        print(f"{each.number:2} {each.title}: {outcome.verdict} {outcome.problem}", flush=True)
        outcomes.append(outcome)
    return outcomes, card


def _setting(flags: argparse.Namespace, library: str) -> Setting:
    torch_python = None
    if flags.workers != "programs" and flags.card == "real":
        names = flags.torch_python or (sys.executable, "python3")
        # Not resolved: a virtual environment is known by the path of its interpreter.
        found = (str(Path(path).absolute()) for name in names if (path := shutil.which(name)))
        torch_python = next(filter(_has_torch, found), None)
    workers = flags.workers
    if workers == "auto":
        workers = "torch" if torch_python else "programs"
    return Setting(
        workers=workers,
        size=flags.size,
        gpu=flags.gpu,
        library=library,
        torch_python=torch_python,
        # The fake driver takes 1 ns for each.
        turns_per_us=1000.0 if flags.card == "fake" else 0.0,
    )


def _has_torch(python: str) -> bool:
    """Return whether an interpreter has PyTorch, and that one sees a GPU."""
    try:
        asked = subprocess.run(
            [python, "-c", TORCH_QUESTION],
            capture_output=True,
            text=True,
            timeout=TORCH_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.stdout.strip().endswith("True")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests/benchmarks/gpu/run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--size",
        choices=sorted(SIZES),
        default="small",
        help="full: about 12 minutes; small: some minutes; smoke: whether it runs (%(default)s)",
    )
    parser.add_argument(
        "--workers",
        choices=("auto", "torch", "programs"),
        default="auto",
        help="who works on the card: PyTorch, or C programs of the driver API (%(default)s)",
    )
    parser.add_argument("--card", choices=("real", "fake"), default="real", help="(%(default)s)")
    parser.add_argument("--gpu", type=int, default=0, metavar="INDEX", help="by NVML (%(default)s)")
    parser.add_argument(
        "--only", type=_numbers, metavar="N[,N...]", help="numbers of experiments; default: all"
    )
    parser.add_argument(
        "--torch-python",
        action="append",
        metavar="FILE",
        help="interpreter with PyTorch; default: this one, or else python3",
    )
    parser.add_argument(
        "--into",
        type=Path,
        default=ROOT / "build" / "gpu-experiments",
        metavar="FOLDER",
        help="for experiments.md, experiments.json, and the logs of each experiment",
    )
    return parser


def _numbers(text: str) -> frozenset[int]:
    allowed = frozenset(each.number for each in EXPERIMENTS)
    words = text.split(",")
    if not all(word.isdecimal() and int(word) in allowed for word in words):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not valid; allowed: numbers from 1 to {len(allowed)}, with commas"
        )
    return frozenset(map(int, words))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
