"""What a report comes from: recorded usage or a Prometheus, behind one face, or an autoscaler."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from autoscaler.cli.live_options import NO_LIVE, LiveFlags
from autoscaler.cli.measured_input import open_measured
from autoscaler.cli.measured_options import STEP, MeasuredOptions
from autoscaler.cli.prometheus_flags import PrometheusFlags
from autoscaler.cli.recorded_input import InputOptions, open_input
from autoscaler.cli.stated_input import StatedOptions
from autoscaler.cli.terminal import Terminal
from autoscaler.errors import UsageError
from autoscaler.reporting import Advance, Analysis, ReportText
from autoscaler.sources.live_server import LiveServer

ReportOptions = InputOptions | MeasuredOptions | LiveServer


class ReportInput(Protocol):
    """An opened input."""

    @property
    def analysed_share(self) -> float:
        """Share of the work of a report that ``analyse`` is."""
        ...

    def analyse(self, advance: Advance) -> Analysis:
        """Read the usage and decide once."""
        ...

    def text(self) -> ReportText:
        """Return the head of a report, after ``analyse``."""
        ...


def report_options(
    usage: Path | None,
    server: PrometheusFlags,
    stated: StatedOptions,
    *,
    step: str | None = None,
    live: LiveFlags = NO_LIVE,
    has_what_if: bool = True,
) -> ReportOptions:
    """Return the one input that was given.  Raises ``UsageError`` where two were.

    Without a file or an autoscaler it is the server, which the settings may name.
    """
    given = [*server.given, *([STEP] if step is not None else [])]
    autoscaler = live.server(_needless(usage, given, stated, has_what_if=has_what_if))
    if autoscaler is not None:
        return autoscaler
    if usage is None:
        return MeasuredOptions(server=server, stated=stated, step=step)
    if given:
        raise UsageError(f"give either --from USAGE or a Prometheus, not both: {', '.join(given)}")
    return InputOptions(
        usage=usage,
        workloads=stated.workloads,
        profiles=stated.profiles,
        gpu_model=stated.gpu_model,
        until=stated.until,
        since=stated.since,
        config=stated.config,
    )


def _needless(
    usage: Path | None, given: Sequence[str], stated: StatedOptions, *, has_what_if: bool
) -> list[str]:
    """Return the options of an input that were given: an autoscaler has no use for them."""
    options = {
        "--from": usage,
        **dict.fromkeys(given, True),
        "--workloads": stated.workloads,
        "--profiles": stated.profiles,
        "--gpu-model": stated.gpu_model,
        "--until": stated.until,
        "--since": stated.since,
        "--config": stated.config,
        "--no-what-if": None if has_what_if else True,
    }
    return [flag for flag, value in options.items() if value is not None]


def opened(
    options: InputOptions | MeasuredOptions, terminal: Terminal
) -> AbstractContextManager[ReportInput]:
    """Open an input; what the user should know goes to stderr."""
    if isinstance(options, InputOptions):
        return nullcontext(open_input(options, terminal))
    return open_measured(options, terminal)
