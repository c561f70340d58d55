"""A forecaster that answers several questions about the same past at once.

What experts expect does not depend on the level that is asked for; only what is made of it does.
So a sweep over knobs costs little more than one knob, and gives the same numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from recommender.forecast.forecaster import (
    EXPERTS,
    Forecast,
    Forecaster,
    Made,
    allowed_by_default,
)
from recommender.forecast.gate import Gates
from recommender.forecast.outcome import Outcome
from recommender.forecast.past import Past
from recommender.forecast.selection import Losses
from recommender.forecast.spending import EVENLY, Widths
from recommender.forecast.timing import Timing
from recommender.observation import Bools, Floats


@dataclass(slots=True)
class _Question:
    """What depends on the level that is asked for."""

    losses: Losses
    gates: Gates
    widths: Widths
    made: deque[Made] = field(default_factory=deque)


class SideBySide(Forecaster):
    """One past, ``questions`` questions."""

    def __init__(self, series: int, timing: Timing, questions: int) -> None:
        super().__init__(series, timing)
        self.allowed: Bools = allowed_by_default(series)
        """Experts that count, ``[E, S]``."""
        self.most = EVENLY
        """The most that the risk of a block is multiplied by, as ``advance`` takes it."""
        self._questions = [
            _Question(Losses.empty(len(EXPERTS), series), Gates.empty(series), Widths.empty(series))
            for _ in range(questions)
        ]

    def answer(
        self,
        past: Past,
        percentiles: Floats,
        levels: Sequence[Floats],
        outcomes: Sequence[Outcome] | None,
    ) -> list[Forecast]:
        """Take the newest block and return one forecast per question, as ``advance`` does.

        Experts learn from the first outcome; all are of the same window.
        """
        if outcomes is not None:
            self._learn(self._questions[0].made[0], outcomes[0])
            for question, outcome in zip(self._questions, outcomes, strict=True):
                self._turn_to(question)
                self._score(self.made.popleft(), outcome)
        named = np.full(past.series, np.nan)
        expectation = self._expect(past, percentiles, self.allowed, named)
        answers = []
        for question, level in zip(self._questions, levels, strict=True):
            self._turn_to(question)
            answers.append(self._answer(past, expectation, level, self.allowed, self.most))
        return answers

    def _turn_to(self, question: _Question) -> None:
        self.losses, self.gates = question.losses, question.gates
        self.widths, self.made = question.widths, question.made
