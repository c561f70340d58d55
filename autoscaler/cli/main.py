"""The console script ``tfa`` (also ``kubectl tfa``): commands, and errors as exit codes.

Importing this module loads neither numpy nor pandas: each command imports what it needs when it
runs, so that ``tfa --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer

from autoscaler.cli import (
    agent,
    apply,
    autoscaler,
    backtest,
    check,
    config,
    controller,
    crds,
    diff,
    explain,
    leave,
    limiter,
    render,
    report,
    simulate,
    version,
    webhook,
)
from autoscaler.cli.exits import ExitCode, code_of
from autoscaler.cli.terminal import fail
from autoscaler.errors import AutoscalerError
from recommender.errors import RecommenderError

# Lets the options about completion take the name of a shell, as a Dockerfile or a package has to
# state it; typer would look at the parent process, and has no other switch.
os.environ.setdefault("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")

app = typer.Typer(
    name="tfa",
    help="Sizes requests, limits and replicas of TensorFusion vGPU workers from measured use.",
    epilog=(
        "Exit codes: 0 done, 1 findings at or above --fail-on, 2 wrong arguments or configuration, "
        "3 could not work, 4 partial result, 130 interrupted."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("report")(report.command)
app.command("explain")(explain.command)
app.command("simulate")(simulate.command)
app.command("backtest")(backtest.command)
app.command("render")(render.command)
app.command("diff")(diff.command)
app.command("apply")(apply.command)
app.command("check")(check.command)
app.add_typer(config.app, name="config")
app.add_typer(crds.app, name="crds")
app.command("webhook")(webhook.command)
app.command("controller")(controller.command)
app.command("autoscaler")(autoscaler.command)
app.add_typer(agent.app, name="agent")
app.command("leave")(leave.command)
app.command("limiter")(limiter.command)
app.command("version")(version.command)


def run() -> NoReturn:
    """Run the command of ``sys.argv`` and end the process with its exit code."""
    sys.exit(main())


def main(arguments: Sequence[str] | None = None) -> ExitCode:
    """Run one command and return its exit code; None takes ``sys.argv``."""
    try:
        app(arguments, prog_name=_name())
    except SystemExit as ended:
        return ExitCode(ended.code) if isinstance(ended.code, int) else ExitCode.CANNOT_WORK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except (AutoscalerError, RecommenderError) as error:
        fail(str(error))
        return code_of(error)
    except Exception:  # noqa: BLE001 - Python would end with 1, which means "findings"
        fail("a defect of tfa, please report it with the lines below")
        traceback.print_exc()
        return ExitCode.CANNOT_WORK
    return ExitCode.OK


def _name() -> str:
    """Return what the user typed: kubectl runs its plugins under a name of their own."""
    return "kubectl tfa" if Path(sys.argv[0]).name.startswith("kubectl") else "tfa"
