"""A plot of measured use in plain text, for terminals and logs."""

from __future__ import annotations

from collections.abc import Mapping

from recommender.report.blocks import UsageSeries
from recommender.report.wording import amount_text, utc

ROWS = 12
MEAN, PEAK, LEVEL, BLANK = "#", ":", "-", " "
"""ASCII, so that it looks the same everywhere."""


def text_plot(
    series: UsageSeries,
    resource: str,
    levels: Mapping[str, float | None],
    *,
    end_s: int | None = None,
) -> str:
    """Return the plot: mean filled, peaks above it, and one dashed line per level.

    ``levels`` are amounts by name, for example ``limit``; None is left out.  The axis ends at
    ``end_s`` where the last point, which stands for hours, reaches beyond it.
    """
    known = {name: value for name, value in levels.items() if value is not None}
    peaks = [value for value in series.highest if value is not None]
    top = 1.05 * max([*peaks, *known.values(), 1e-12])
    lines = []
    for row in range(ROWS, 0, -1):
        low, high = top * (row - 1) / ROWS, top * row / ROWS
        names = [name for name, value in known.items() if low <= value < high]
        filler = LEVEL if names else BLANK
        cells = "".join(
            _cell(mean, peak, low, filler)
            for mean, peak in zip(series.mean, series.highest, strict=True)
        )
        label = ", ".join(f"{name} {amount_text(resource, known[name])}" for name in names)
        lines.append(f"|{cells}| {label}".rstrip())
    last_s = series.start_s + series.step_s * len(series.mean)
    width = len(series.mean)
    start, end = utc(series.start_s), utc(last_s if end_s is None else min(last_s, end_s))
    axis = f"{start}{end.rjust(width + 2 - len(start))}" if width > 45 else f"{start} to {end}"
    legend = f"{MEAN} mean, {PEAK} highest, top of the plot {amount_text(resource, top)}"
    return "\n".join([*lines, f"+{'-' * width}+", axis, legend])


def _cell(mean: float | None, peak: float | None, low: float, filler: str) -> str:
    """Return one character: the column reaches into the row when it is above the row's floor."""
    if mean is not None and mean > low:
        return MEAN
    if peak is not None and peak > low:
        return PEAK
    return filler
