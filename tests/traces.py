"""Where recorded traces lie, on machines that have them; they are no part of the project."""

import os
from pathlib import Path

import pytest

VARIABLE = "TFA_TRACES"
ROOT = Path(__file__).parents[1]


def recorded_traces() -> Path | None:
    """Return the folder that holds ``bench`` and ``data``, where there is one."""
    named = os.environ.get(VARIABLE)
    folder = Path(named) if named else ROOT.parent / "shared"
    return folder if (folder / "bench" / "bench.py").is_file() else None


needs_traces = pytest.mark.skipif(
    recorded_traces() is None,
    reason=f"no recorded traces: {VARIABLE} names no folder with bench/ and data/",
)
