"""The distance of a source's samples, learned from their stamps: what is asked for is a wish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.scaling.collect.joining import usual_step_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.scaling.collect.joining import Columns
    from autoscaler.scaling.collect.windows import Window

STEP_CHECK_S = 600

LearnedStep = tuple[str, bool, int, int]
"""(metric, of its history, step in seconds, when to look again)."""


class Steps:
    """Learned steps per metric, of histories and of the newest samples apart."""

    def __init__(self, wanted_s: int) -> None:
        self._wanted_s = wanted_s
        self._learned: dict[tuple[str, bool], tuple[int, int]] = {}

    def learn(self, metric: str, columns: Columns, window: Window) -> None:
        """Learn the step of a window, and look again from time to time."""
        key = metric, window.is_history
        if key in self._learned and window.end_s < self._learned[key][1]:
            return
        step_s = usual_step_s(columns)
        if step_s is not None:
            self._learned[key] = step_s, window.end_s + STEP_CHECK_S

    def of(self, metric: str, window: Window) -> int:
        """Return the step of a window, in seconds; the wanted one where none could be learned."""
        own, other = (metric, window.is_history), (metric, not window.is_history)
        learned = self._learned.get(own) or self._learned.get(other)
        return self._wanted_s if learned is None else learned[0]

    def learned(self) -> tuple[LearnedStep, ...]:
        """Return what was learned, for a checkpoint."""
        return tuple((*key, *known) for key, known in self._learned.items())

    def restore(self, learned: Sequence[LearnedStep]) -> None:
        """Take over what a checkpoint holds."""
        for metric, is_history, step_s, look_again_s in learned:
            self._learned[metric, is_history] = step_s, look_again_s
