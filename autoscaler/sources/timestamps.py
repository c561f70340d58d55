"""Time stamps as users write them: unix seconds or ISO 8601, UTC where no zone is given.

Durations are ``recommender.durations``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.errors import InputError, UsageError
from recommender.observation import Floats

if TYPE_CHECKING:
    import pandas as pd

LARGEST_STAMP_S = 1e11
"""The year 5138; a larger stamp is in milliseconds."""


def parse_time_s(text: str, option: str) -> int:
    """Read one time that a user typed.  Raises ``UsageError``."""
    allowed = "unix seconds (1767225600) or ISO 8601 (2026-01-01T00:00:00Z; UTC without a zone)"
    try:
        stamp = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError as error:
            raise UsageError(f"{option}: {text!r} is no time; allowed: {allowed}") from error
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if not 0 < stamp <= LARGEST_STAMP_S:
        reason = "looks like milliseconds" if stamp > LARGEST_STAMP_S else "is no time"
        raise UsageError(f"{option}: {text} {reason}; allowed: {allowed}")
    return int(stamp)


def iso(stamp_s: int) -> str:
    """Write a time in UTC: ``2026-01-01T00:00:00Z``."""
    return datetime.fromtimestamp(stamp_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamps_s(column: pd.Series) -> Floats:
    """Return UTC seconds of a column of numbers, texts or time stamps; NaN where unreadable."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype("str")
    if pd.api.types.is_datetime64_any_dtype(column):
        return _seconds(pd.to_datetime(column, utc=True))
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(
        np.float64, copy=True, na_value=np.nan
    )
    is_text = np.isnan(numbers) & column.notna().to_numpy()
    if is_text.any():
        texts = column[is_text].astype("str").str.strip()
        times = pd.to_datetime(texts, errors="coerce", utc=True, format="ISO8601")
        numbers[is_text] = _seconds(times)
    return numbers


def refuse_milliseconds(stamps: Floats, where: str, path: str) -> None:
    """Raise ``InputError`` when a stamp is too large for seconds.  ``where`` names the first."""
    too_large = stamps[stamps > LARGEST_STAMP_S]
    if len(too_large):
        raise InputError(
            f"{path}: ts: {too_large[0]:.0f} on {where} looks like milliseconds "
            f"({len(too_large)} such rows); give unix seconds (divide by 1000) or ISO 8601"
        )


def _seconds(times: pd.Series) -> Floats:
    """Return seconds since the epoch, NaN for NaT."""
    seconds = times.astype("datetime64[us, UTC]").astype("int64").to_numpy() / 1e6
    seconds[times.isna().to_numpy()] = np.nan
    return np.asarray(seconds, np.float64)
