"""The name of a stream of forecasts, for logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.sentences import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommender.forecast.asked import StreamKey
    from recommender.resources import Resource


def stream_name(key: StreamKey, resources: Sequence[Resource]) -> str:
    """Return layer, resource and how far it looks ahead."""
    resource = resources[key.resource].name
    return f"{key.layer.name.lower()} of {resource}, {duration(key.ahead_s)} ahead"
