"""A Prometheus that holds what an installation exported, until a moment ago."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.components.fixtures import prometheus_with
from tests.components.openmetrics import write_openmetrics
from tests.monitoring.live_processes import STEP_S, Process, histories, processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scraped:
    """A server, and the moment of its last samples."""

    url: str
    end_s: int


@pytest.fixture(scope="session")
def end_s() -> int:
    """Return the moment of the last samples, the same for all servers."""
    return int(time.time()) // STEP_S * STEP_S - STEP_S


@pytest.fixture(scope="session")
def installation(
    prometheus_binaries: object, tmp_path_factory: pytest.TempPathFactory, end_s: int
) -> Iterator[Scraped]:
    """Give the history of all processes."""
    yield from _history_of(processes(), tmp_path_factory.mktemp("installation"), end_s)


@pytest.fixture(scope="session")
def leaders_alone(
    prometheus_binaries: object, tmp_path_factory: pytest.TempPathFactory, end_s: int
) -> Iterator[Scraped]:
    """Give the history of an installation in which each process runs once."""
    alone = tuple(process for process in processes() if not process.is_standby)
    yield from _history_of(alone, tmp_path_factory.mktemp("leaders"), end_s)


def _history_of(shown: tuple[Process, ...], folder: Path, end_s: int) -> Iterator[Scraped]:
    text = folder / "installation.om"
    write_openmetrics(text, histories(shown, end_s))
    with prometheus_with(folder, text) as server:
        yield Scraped(url=server.url, end_s=end_s)
