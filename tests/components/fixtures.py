"""Fixtures of the real servers, started once for a whole test run.

A program that is missing skips the tests that need it, with the reason; with ``CI=true`` they fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.components.histories import small_history
from tests.components.lacking import lacks
from tests.components.openmetrics import blocks, write_openmetrics
from tests.components.processes import RunningServer
from tests.components.programs import ProgramMissingError, find_program
from tests.components.servers import (
    import_into_victoriametrics,
    start_prometheus,
    start_victoriametrics,
)
from tests.components.worker_series import History


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusPrograms:
    """The two programs of one Prometheus release."""

    prometheus: Path
    promtool: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryServer:
    """A server that was filled with a history, and that history as the truth."""

    server: RunningServer
    history: History

    @property
    def url(self) -> str:
        """Where its query API is."""
        return self.server.url


@pytest.fixture(scope="session")
def prometheus_binaries() -> PrometheusPrograms:
    """Return Prometheus and promtool: built, or named by variables."""
    return PrometheusPrograms(
        prometheus=needed_program("prometheus"), promtool=needed_program("promtool")
    )


@pytest.fixture(scope="session")
def victoriametrics_binary() -> Path:
    """Return VictoriaMetrics: built, or named by a variable."""
    return needed_program("victoria-metrics")


@pytest.fixture(scope="session")
def history_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the small history as OpenMetrics text."""
    path = tmp_path_factory.mktemp("history") / "history.om"
    write_openmetrics(path, small_history().families())
    return path


@pytest.fixture(scope="session", params=["prometheus", "victoriametrics"])
def history_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HistoryServer]:
    """Fill a Prometheus, then a VictoriaMetrics, with the small history."""
    # Look for the programs first: the text is not written for a test that is skipped.
    if request.param == "prometheus":
        request.getfixturevalue("prometheus_binaries")
    else:
        request.getfixturevalue("victoriametrics_binary")
    start = FILLED[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    with start(folder, request.getfixturevalue("history_text")) as server:
        yield HistoryServer(server=server, history=small_history())


def prometheus_with(folder: Path, openmetrics: Path) -> RunningServer:
    """Start a Prometheus over the blocks of a text."""
    return start_prometheus(folder, tsdb=blocks(openmetrics, folder / "tsdb"))


def victoriametrics_with(folder: Path, openmetrics: Path) -> RunningServer:
    """Start a VictoriaMetrics and load a text into it."""
    server = start_victoriametrics(folder)
    try:
        import_into_victoriametrics(server, openmetrics)
    except BaseException:
        server.stop()
        raise
    return server


FILLED: dict[str, Callable[[Path, Path], RunningServer]] = {
    "prometheus": prometheus_with,
    "victoriametrics": victoriametrics_with,
}


def needed_program(name: str) -> Path:
    """Return a program; where it is missing the test is skipped, or fails with ``CI=true``."""
    try:
        return find_program(name)
    except ProgramMissingError as missing:
        lacks(str(missing))
