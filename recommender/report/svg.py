"""The plot of one item as inline SVG text: measured band, amounts in force, amounts recommended.

Lines differ by dash and label as well as colour, so the plot is readable without seeing colours.
Styles are classes of the page; nothing is repeated per plot.  Every plot has a text alternative.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from recommender.report.blocks import CurrentSize, RecommendedSize
from recommender.report.wording import measured_word, resource_of
from recommender.resources import VRAM
from recommender.sentences import amount_parts

if TYPE_CHECKING:
    from recommender.report.blocks import UsageSeries
    from recommender.report.model import Item

WIDTH, HEIGHT = 400, 130
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 282, 8, 112
_LABEL_GAP = 13
_HEADROOM = 1.08


@dataclass(frozen=True, slots=True)
class _Line:
    css: str
    label: str
    value: float


def plot(item: Item) -> str:
    """Return the ``<svg>`` of a sized item; empty where nothing was measured."""
    series = item.evidence.series
    if series is None or not any(value is not None for value in series.highest):
        return ""
    lines = _lines(item)
    highest = max(value for value in series.highest if value is not None)
    top = _HEADROOM * max(highest, *(line.value for line in lines), 0.0)
    if top <= 0:
        return ""
    label = escape(text_alternative(item))
    parts = [
        f'<svg class=plot viewBox="0 0 {WIDTH} {HEIGHT}" role=img aria-label="{label}">',
        *_axis(item.resource, top, series),
        f'<path class=band d="{_band(series, top)}"/>',
        *_level_lines(item.resource, lines, top),
        "</svg>",
    ]
    return "".join(parts)


def text_alternative(item: Item) -> str:
    """Return what the plot shows in a sentence, the unit where it changes."""
    evidence, resource = item.evidence, resource_of(item.resource)
    values = [(f"mean {measured_word(item)}", evidence.mean), ("highest", evidence.highest)]
    values += [(line.label, line.value) for line in _lines(item)]
    parts, last_unit = [], ""
    for name, value in reversed(values):
        text, unit = amount_parts(value, resource)
        parts.append(f"{name} {text}" + (f" {unit}" if unit != last_unit else ""))
        last_unit = unit
    return ", ".join(reversed(parts))


def _lines(item: Item) -> list[_Line]:
    current, recommended = item.current, item.recommended
    if not isinstance(current, CurrentSize) or not isinstance(recommended, RecommendedSize):
        return []
    levels = (
        ("q", "request", current.request),
        ("l", "limit", current.limit),
        ("rq", "rec. request", recommended.request),
        ("rl", "rec. limit", recommended.limit),
    )
    return [_Line(css, label, value) for css, label, value in levels if value is not None]


def _y(value: float, top: float) -> int:
    return round(_BOTTOM - (_BOTTOM - _TOP) * value / top)


def _axis(resource: str, top: float, series: UsageSeries) -> Iterator[str]:
    step = _nice_step(top, resource)
    values = [tick * step for tick in range(int(top / step) + 1)]
    yield f'<path class=grid d="{"".join(f"M{_LEFT} {_y(v, top)}H{_RIGHT}" for v in values)}"/>'
    for value in values[1:]:
        text = _tick_text(value, resource)
        yield f"<text class=tick x={_LEFT - 4} y={_y(value, top) + 3}>{text}</text>"
    hours = series.step_s * len(series.highest) / 3600
    span = f"{hours / 24:.0f} days" if hours >= 36 else f"{hours:.0f} hours"
    yield f"<text x={_LEFT} y={HEIGHT - 6}>{span} ago</text>"
    yield f"<text class=tick x={_RIGHT} y={HEIGHT - 6}>now</text>"


def _tick_text(value: float, resource: str) -> str:
    """Return the number, with the unit only where it depends on the number (bytes)."""
    text, unit = amount_parts(value, resource_of(resource))
    return f"{text} {unit}" if resource == VRAM.name else text


def _nice_step(top: float, resource: str) -> float:
    """Return 1, 2 or 5 times a power of ten (bytes: of their unit) that makes 2 to 5 ticks."""
    unit = 2.0 ** (10 * math.floor(math.log2(top) / 10)) if resource == VRAM.name else 1.0
    most = top / unit / 2
    power = 10.0 ** math.floor(math.log10(most))
    return max((1, *(factor for factor in (2, 5) if factor * power <= most))) * power * unit


def _band(series: UsageSeries, top: float) -> str:
    """Return one closed path per unbroken stretch: maxima there, means back."""
    count = max(1, len(series.highest) - 1)
    x = [round(_LEFT + (_RIGHT - _LEFT) * i / count) for i in range(len(series.highest))]
    known = [value is not None for value in series.highest]
    paths = []
    for is_known, stretch in groupby(range(len(x)), key=known.__getitem__):
        if is_known:
            paths.append(_closed(list(stretch), x, series, top))
    return "".join(paths)


def _closed(at: Sequence[int], x: Sequence[int], series: UsageSeries, top: float) -> str:
    upper = [(x[i], _y(series.highest[i] or 0.0, top)) for i in at]
    sparse = sorted(
        {*at[::2], at[-1]}, reverse=True
    )  # means are smooth: every second one is enough
    lower = [(x[i], _y(series.mean[i] or 0.0, top)) for i in sparse]
    if len(at) == 1:  # one point alone is drawn as a short bar, else it would be invisible
        upper.append((upper[0][0] + 3, upper[0][1]))
        lower.insert(0, (lower[0][0] + 3, lower[0][1]))
    points = upper + lower
    text = [f"M{points[0][0]} {points[0][1]}l"]
    for (x0, y0), (x1, y1) in pairwise(points):
        dx, dy = x1 - x0, y1 - y0
        text.append(f"{'' if dx < 0 else ' '}{dx}{'' if dy < 0 else ' '}{dy}")
    return "".join(text).replace("l ", "l") + "z"


def _level_lines(resource: str, lines: Sequence[_Line], top: float) -> Iterator[str]:
    placed = _spread([_y(line.value, top) for line in lines])
    for line, label_y in zip(lines, placed, strict=True):
        y = _y(line.value, top)
        tail = f"l7 {label_y - y}" if label_y != y else "h7"
        text = f"{line.label} {amount_parts(line.value, resource_of(resource))[0]}"
        yield f'<path class={line.css} d="M{_LEFT} {y}H{_RIGHT}{tail}"/>'
        yield f"<text x={_RIGHT + 10} y={label_y + 3}>{escape(text)}</text>"


def _spread(heights: Sequence[int]) -> list[int]:
    """Move labels apart so that none covers another, each as near to its line as possible."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = [0] * len(heights)
    lowest = _TOP
    for i in order:
        placed[i] = max(heights[i], lowest)
        lowest = placed[i] + _LABEL_GAP
    highest = _BOTTOM
    for i in reversed(order):
        placed[i] = min(placed[i], highest)
        highest = placed[i] - _LABEL_GAP
    return placed
