"""Settings of all tests: examples of laws are the same in every CI run, and none is timed."""

import os

from hypothesis import settings

pytest_plugins = ("tests.commands", "tests.components.fixtures", "tests.cluster.fixtures")

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "local")
