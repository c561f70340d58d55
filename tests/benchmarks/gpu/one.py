"""One experiment in a process of its own: ``python -m tests.benchmarks.gpu.one NUMBER ...``.

Number 0 only describes the card.  What is measured goes into FOLDER/record.jsonl as it comes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.autoscaler.agent.native.built import CompileError
from tests.benchmarks.gpu.experiments.catalogue import EXPERIMENTS
from tests.benchmarks.gpu.lab import Lab, Setting, opened_nvml
from tests.benchmarks.gpu.loads import RunningLoad
from tests.benchmarks.gpu.outcomes import CannotRunError, ExperimentError, Record
from tests.benchmarks.gpu.pods import without_limiter
from tests.fakes.gpu.building import program

RECORD = "record.jsonl"
CARD = "card.json"
MIG_ENABLED = 1


def main(words: Sequence[str]) -> int:
    number, folder, setting = int(words[0]), Path(words[1]), Setting(**json.loads(words[2]))
    record = Record(folder / RECORD)
    try:
        if number == 0:
            describe(setting, folder)
        else:
            EXPERIMENTS[number - 1].make(Lab(setting, folder, record))
    except (CannotRunError, PermissionError) as error:
        record.end("not run", str(error))
    except CompileError as error:
        record.end("not run", f"no C compiler that builds the programs: {error}")
    except (ExperimentError, TimeoutError, subprocess.SubprocessError) as error:
        record.end("failed", str(error))
    except Exception as error:  # noqa: BLE001 -- of one experiment; the others go on
        traceback.print_exc()
        record.end("failed", repr(error))
    else:
        record.end("ended")
    return 0


def describe(setting: Setting, folder: Path) -> None:
    """Write what the card is, and how fast it turns the programs' kernel."""
    card = opened_nvml(setting.gpu).describe()
    if card["mig_mode"][0] == MIG_ENABLED:
        raise CannotRunError("the GPU is divided by MIG, where a share is no share of time")
    if setting.turns_per_us == 0:
        # Without a compiler there are no programs, and PyTorch does not need the figure.
        with suppress(CompileError):
            card["turns_per_us"] = _turns_per_us(folder)
    (folder / CARD).write_text(json.dumps(card), encoding="utf-8")


def _turns_per_us(folder: Path) -> float:
    words = [str(program("load")), "--seconds", "0.01"]
    with RunningLoad(words, without_limiter({}), folder / "load.log") as load:
        return float(load.ready()["turns_per_us"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
