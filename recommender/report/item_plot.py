"""The plot of one item by itself, with its own styles: for notebooks.

The plots of the page (``svg``) are smaller, and share the styles of the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recommender.backtest.course_plot import course_plot
from recommender.report.wording import amount_of, measured_word, resource_of
from recommender.resources import GIB, VRAM

if TYPE_CHECKING:
    from recommender.report.model import Item


def item_plot(item: Item) -> str:
    """Return the ``<svg>`` of what was measured, in force and recommended; VRAM in GiB.

    Empty where nothing was measured, and for replicas, whose evidence is of another resource.
    """
    series, resource = item.evidence.series, resource_of(item.resource)
    if series is None or resource is None:
        return ""
    scale, unit = (GIB, "GiB") if resource == VRAM else (1.0, resource.unit)
    highest = np.array(series.highest, np.float64)  # None becomes NaN, a gap
    levels = {
        "request": amount_of(item.current, "request"),
        "limit": amount_of(item.current, "limit"),
        "rec. request": amount_of(item.recommended, "request"),
        "rec. limit": amount_of(item.recommended, "limit"),
    }
    lines = {measured_word(item): highest / scale}
    lines |= {
        name: np.full(len(highest), level / scale)
        for name, level in levels.items()
        if level is not None
    }
    return course_plot(series.step_s * np.arange(len(highest)), lines, unit)
