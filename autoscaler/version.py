"""Version of the installed distribution."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "tensor-fusion-autoscaler"
NOT_INSTALLED = "0+source"


def tool_version() -> str:
    """Return the installed version; a checkout that is not installed has none."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return NOT_INSTALLED
