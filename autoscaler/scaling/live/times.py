"""Times of the status as UTC seconds; how they are written is ``kube.timestamps``."""

from __future__ import annotations

from datetime import UTC, datetime


def seconds_of(text: object) -> int | None:
    """Return the UTC seconds of an RFC 3339 time; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
