"""Times as the Kubernetes API writes them, always in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def time_text(now_s: float) -> str:
    """Write UTC seconds as a ``Time``: ``2026-01-01T00:00:00Z``."""
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_time_text(now_s: float) -> str:
    """Write UTC seconds as a ``MicroTime``: ``2026-01-01T00:00:00.000000Z``."""
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_of(text: object) -> int | None:
    """Return the UTC seconds of a time that anybody wrote; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
