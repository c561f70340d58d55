"""Whether a write that failed may have been done all the same.

A reservation is given back only where nothing was written for sure; else the live object decides.
"""

from __future__ import annotations

from autoscaler.errors import ApiUnavailableError, KubeError
from autoscaler.kube.writer import NotLeadingError


def is_surely_not_written(error: KubeError) -> bool:
    """Return whether the API server has refused a write, or was never asked."""
    return isinstance(error, NotLeadingError) or not isinstance(error, ApiUnavailableError)
