"""Settings of all tests: examples of laws are the same in every CI run, and none is timed.

A test that fails shows what the processes of the project that run beside it logged last.
"""

import logging
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from tests.components.processes import logs_of_running
from tests.components.programs import CLUSTER_PROGRAMS

pytest_plugins = ("tests.commands", "tests.components.fixtures", "tests.cluster.fixtures")

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "local")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Undo what a command that ran within the test did to the log of the whole process."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the logs to the report of a failure."""
    report = yield
    if report.failed:
        logs = logs_of_running()
        report.sections += [each for each in logs if not each[0].startswith(CLUSTER_PROGRAMS)]
    return report
