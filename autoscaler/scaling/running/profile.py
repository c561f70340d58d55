"""The profiles in which the autoscaler runs."""

from __future__ import annotations

from enum import StrEnum


class Profile(StrEnum):
    """Where workloads come from, and where decisions go."""

    FULL = "full"
    """Workloads of the API server; decisions go into their status."""
    RECOMMEND_ONLY = "recommend-only"
    """Workloads as the metrics show them; decisions are shown, and go nowhere."""
    BESIDE_UPSTREAM = "beside-upstream"
    """Workers of another operator; decisions are answers to it."""
