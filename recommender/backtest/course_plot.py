"""Use, and amounts that held above it, over time as inline SVG: for notebooks and pages.

Lines differ by dash and label as well as colour, so that a plot is readable without seeing colours.
It brings its own styles and a text alternative, and needs nothing beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from recommender.errors import ContractError
from recommender.usage.peaks import HOUR_S

if TYPE_CHECKING:
    from recommender.backtest.forecast_course import ForecastCourse
    from recommender.backtest.frame import UsageFrame
    from recommender.observation import Floats, Ints

MOST_POINTS = 480
"""Of a line; each stands for the highest value of its stretch."""
WIDTH, HEIGHT = 860, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 700, 12, 226
_LABEL_GAP = 18
_HEADROOM = 1.05
_STYLES = (
    ("#8a8a8a", ""),
    ("#0b5fa5", "9 2"),
    ("#b3261e", "5 3"),
    ("#1b7a3d", "2 3"),
    ("#7a3db8", "9 3 2 3"),
)
"""Colour and dash of each line, in their order."""


def course_plot(times_s: Ints, lines: Mapping[str, Floats], unit: str) -> str:
    """Return the ``<svg>`` of some lines by name, ``[T]`` each; NaN: a gap.

    The time axis counts hours from the first of ``times_s``.  Raises ``ContractError`` for more
    lines than there are styles, and for lines of another length.
    """
    times = np.asarray(times_s)
    if not 0 < len(lines) <= len(_STYLES):
        raise ContractError(f"{len(lines)} lines; allowed: 1 to {len(_STYLES)}")
    if {len(line) for line in lines.values()} != {len(times)} or len(times) == 0:
        raise ContractError(f"lines of other lengths than the {len(times)} times")
    hours = (times - times[0]) / HOUR_S
    per_point = -(-len(times) // MOST_POINTS)
    points = {name: _highest(np.asarray(line), per_point) for name, line in lines.items()}
    top = _HEADROOM * max(float(np.fmax.reduce(p, initial=0.0)) for p in points.values())
    span = float(hours[-1] + (hours[-1] / (len(hours) - 1) if len(hours) > 1 else 1.0))
    top, x = top if top > 0 else 1.0, _x(hours[::per_point], span)
    look = f'width="{WIDTH}" font-family="sans-serif" font-size="12"'
    words = escape(_words(lines, unit))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" {look} role="img" aria-label="{words}">',
        *_axes(top, span, unit),
    ]
    styles = zip(points.items(), _STYLES, strict=False)
    for place, ((name, values), (colour, dash)) in enumerate(styles):
        parts.append(_line(x, values, top, colour, dash))
        parts.append(_label(name, place, colour, dash))
    return "".join([*parts, "</svg>"])


def forecast_plot(
    frame: UsageFrame, course: ForecastCourse, row: int, *, start_s: int, end_s: int
) -> str:
    """Return the ``<svg>`` of what was forecast of a workload, and came, in ``[start_s, end_s)``.

    ``row`` is that of ``frame.workloads``; of several workers the busiest one is shown.  Raises
    ``ContractError`` where the frame has no step in that time.
    """
    part = frame.between(start_s, end_s)
    times_s = part.times_s()
    use = part.values[course.resource][part.row_of_series == row].astype(np.float64)
    lines = {
        "use": np.fmax.reduce(use, axis=0),
        "forecast": course.held_at(times_s, course.forecast)[:, row],
        "histogram": course.held_at(times_s, course.histogram)[:, row],
    }
    return course_plot(times_s, lines, part.resources[course.resource].unit)


def _words(lines: Mapping[str, Floats], unit: str) -> str:
    """Return what the plot shows in a sentence."""
    said = []
    for name, values in lines.items():
        known = np.asarray(values)[~np.isnan(values)]
        figures = f"mean {known.mean():.3g}, highest {known.max():.3g}" if len(known) else "nothing"
        said.append(f"{name}: {figures}")
    return f"{'; '.join(said)} ({unit})"


def _highest(values: Floats, per_point: int) -> Floats:
    padded = np.concatenate([values, np.full(-len(values) % per_point, np.nan)])
    return np.asarray(np.fmax.reduce(padded.reshape(-1, per_point), axis=1), np.float64)


def _x(hours: Floats, span: float) -> Floats:
    return _LEFT + (_RIGHT - _LEFT) * hours / span


def _y(values: Floats, top: float) -> Floats:
    return _BOTTOM - (_BOTTOM - _TOP) * values / top


def _axes(top: float, span: float, unit: str) -> Iterator[str]:
    for value in _ticks(top):
        y = float(_y(np.array(value), top))
        yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="#d8d8d8" fill="none"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    for hour in _ticks(span):
        x = float(_x(np.array(hour), span))
        yield f'<path d="M{x:.1f} {_BOTTOM}v5" stroke="#606060" fill="none"/>'
        yield f'<text x="{x:.1f}" y="{_BOTTOM + 18}" text-anchor="middle">{hour:g} h</text>'
    yield f'<text x="{_RIGHT + 42}" y="{_BOTTOM + 18}">{escape(unit)}</text>'


def _ticks(top: float) -> list[float]:
    """Return 4 to 10 multiples of 1, 2 or 5 times a power of ten, from 0 on."""
    power = 10.0 ** np.floor(np.log10(top))
    step = next(power * f for f in (0.1, 0.2, 0.5, 1.0) if top / (power * f) < 10.0)
    return [float(step * i) for i in range(int(top / step) + 1)]


def _line(x: Floats, values: Floats, top: float, colour: str, dash: str) -> str:
    """Return one path that steps from value to value, and begins anew after a gap."""
    path, is_drawn = [], False
    for left, y in zip(x.tolist(), _y(values, top).tolist(), strict=True):
        if y != y:  # noqa: PLR0124 - NaN
            is_drawn = False
            continue
        path.append(f"H{left:.1f}V{y:.1f}" if is_drawn else f"M{left:.1f} {y:.1f}")
        is_drawn = True
    return f'<path d="{"".join(path)}" {_pen(colour, dash)}/>'


def _label(name: str, place: int, colour: str, dash: str) -> str:
    y = _TOP + 8 + _LABEL_GAP * place
    line = f'<path d="M{_RIGHT + 12} {y - 4}h24" {_pen(colour, dash)}/>'
    return f'{line}<text x="{_RIGHT + 42}" y="{y}">{escape(name)}</text>'


def _pen(colour: str, dash: str) -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'fill="none" stroke="{colour}" stroke-width="1.6"{dashes}'
