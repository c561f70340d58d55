"""The packages of this tree, built once for a process."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.agent.native.build import ARCHITECTURES
from tests.components.lacking import lacks
from tests.components.pythons import Python, oldest_and_newest
from tests.components.wheelhouses import missing, wheelhouse
from tests.packages.building import build_package
from tests.packages.environments import Environment, made_environment

MACHINE = platform.machine()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build the wheel of each architecture."""
    return {
        name: build_package("wheel", tmp_path_factory.mktemp("wheel"), architecture=name)
        for name in ARCHITECTURES
    }


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package of the sources."""
    return build_package("sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def wheel_of_this_machine(wheels: dict[str, Path]) -> Path:
    """Return the wheel that can be installed here."""
    if MACHINE not in wheels:
        lacks(f"no wheel is built for {MACHINE}")
    return wheels[MACHINE]


@pytest.fixture(scope="module", params=oldest_and_newest(), ids=lambda each: each.release)
def environment(
    request: pytest.FixtureRequest,
    wheel_of_this_machine: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Environment]:
    """Install the wheel for the oldest supported Python of this machine, and for the newest."""
    python: Python = request.param
    if not wheelhouse(python).is_dir():
        lacks(missing(python))
    folder = tmp_path_factory.mktemp("installed")
    yield made_environment(python, wheel_of_this_machine, folder)
    shutil.rmtree(folder)
