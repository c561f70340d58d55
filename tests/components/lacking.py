"""What a test does where its machine lacks something: it is skipped, or fails with ``CI=true``."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacks(what: str) -> NoReturn:
    """End the test that needs what the machine lacks."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
