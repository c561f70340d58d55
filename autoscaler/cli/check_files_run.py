"""What ``tfa check FILE...`` does, after its arguments were read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from autoscaler.checking.files.checking import CheckedFiles, check_files
from autoscaler.checking.files.input_files import SUFFIXES, read_inputs
from autoscaler.checking.files.problem import FileProblem
from autoscaler.cli.check import CheckFormat
from autoscaler.cli.exits import ExitCode
from autoscaler.cli.output import print_result
from autoscaler.cli.terminal import Terminal
from autoscaler.errors import InputError
from autoscaler.scaling.cards import GpuModels
from autoscaler.settings import load_settings
from recommender.sentences import counted


def run_check_files(
    paths: Sequence[Path], *, config: Path | None, output: CheckFormat, terminal: Terminal
) -> ExitCode:
    """Look at files, print their problems, and return whether there are errors.

    Raises ``UsageError`` for wrong settings, and ``InputError`` where nothing is to be checked.
    """
    settings = load_settings(config)
    models = GpuModels(own=settings.gpu_models, prices=settings.gpu_prices)
    checked = check_files(read_inputs(paths), models)
    for name in checked.passed_over:
        terminal.note(f"{name}: nothing of ours in it")
    if not checked.looked_at:
        raise InputError(
            f"nothing to check in {', '.join(map(str, paths))}; allowed: manifests of our kinds, "
            "annotated pods and pod templates, settings, an autoScalingConfig, workloads files; "
            f"of a folder the files {' and '.join(f'*{suffix}' for suffix in SUFFIXES)} below it"
        )
    render = _json if output is CheckFormat.JSON else _lines
    print_result(render(checked.problems))
    terminal.note(_summary(checked))
    has_error = any(not problem.is_warning for problem in checked.problems)
    return ExitCode.CANNOT_WORK if has_error else ExitCode.OK


def _lines(problems: Sequence[FileProblem]) -> str:
    return "".join(f"{problem}\n" for problem in problems)


def _json(problems: Sequence[FileProblem]) -> str:
    rows = []
    for problem in problems:
        row = asdict(problem)
        severity = "warning" if row.pop("is_warning") else "error"
        rows.append({"file": row.pop("file"), "severity": severity, **row})
    return json.dumps(rows, indent=2) + "\n"


def _summary(checked: CheckedFiles) -> str:
    warnings = sum(problem.is_warning for problem in checked.problems)
    errors = len(checked.problems) - warnings
    files = counted(len(checked.looked_at), "file")
    return f"{files}: {counted(errors, 'error')}, {counted(warnings, 'warning')}"
