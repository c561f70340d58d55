"""What forecasts cost: each expert for a large fleet, a training, one decision of a small panel.

Run as ``python -m tests.benchmarks.forecast_costs experts SERIES``, ``training ROWS`` or
``decision SERIES`` in a process of its own: it prints one line of JSON, in CPU seconds.  Demand is
drawn: what it is changes no cost.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from recommender.forecast.examples import MOST_ROWS
from recommender.forecast.experts.boosting import boosting
from recommender.forecast.experts.earlier_days import earlier_days
from recommender.forecast.experts.histogram import histograms
from recommender.forecast.experts.recent import last_block, last_hour
from recommender.forecast.features import features_of
from recommender.forecast.fleet_model import FleetModel, train
from recommender.forecast.forecaster import Forecaster
from recommender.forecast.outcome import Outcome, outcome_of
from recommender.forecast.past import Past
from recommender.forecast.sketches import kept_of
from recommender.forecast.spending import LIMITS_MOST_FACTOR
from recommender.forecast.timing import Timing
from recommender.forecast.use import HALF_LIVES_S, percentiles_of
from recommender.observation import Floats
from recommender.usage.blocks import BLOCK_S, MINUTES_PER_BLOCK
from recommender.usage.histograms import HistogramBank
from recommender.usage.layout import LEARNED_SPAN, Layout
from tests.benchmarks.own_process import answer_of, memory_bytes
from tests.benchmarks.targets import Measured
from tests.recommender.forecast.series import growing

TIMING = Timing(block_s=BLOCK_S, lead=3)
SERIES, PANEL = 10_000, 12
BLOCKS_OF_FLEET, BLOCKS_OF_PANEL = 48, 600
LEVEL = 0.99
REPEATS = 3
DECISION_MS, TRAINING_S = 3.0, 15.0
"""Four models (limits and requests in two resources) are trained in a minute a day."""


class Asked:
    """A forecaster that goes on block by block, with histograms beside it."""

    def __init__(self, series: int) -> None:
        self.forecaster = Forecaster(series, TIMING)
        self.level = np.full(series, LEVEL)
        self.banks = HistogramBank(Layout(LEARNED_SPAN)), HistogramBank(Layout(LEARNED_SPAN))
        for bank, half_life_s in zip(self.banks, HALF_LIVES_S, strict=True):
            bank.grow(series, half_life_s)
        self._every = np.arange(series)

    def percentiles(self) -> Floats:
        """Return what the histograms say."""
        return percentiles_of(*self.banks, self._every)

    def go_on(self, demand: Floats) -> Iterator[tuple[Past, float]]:
        """Forecast after each block of ``[T, S]``; yields what it saw, and the seconds it took."""
        for block, past in enumerate(growing(demand, BLOCK_S)):
            stamp_s = np.full(len(self._every), block * BLOCK_S)
            begin_s = time.process_time()
            for bank in self.banks:
                bank.add(self._every, demand[block], stamp_s)
            outcome = outcome_of(demand[None, block]) if block >= TIMING.lead else None
            self.forecaster.advance(
                past, self.percentiles(), self.level, outcome, most=LIMITS_MOST_FACTOR
            )
            yield past, time.process_time() - begin_s


def demand_of(blocks: int, series: int) -> Floats:
    """Return drawn demand with a level of each series, ``[T, S]``."""
    random = np.random.default_rng(1)
    return random.uniform(5.0, 50.0, series) * random.gamma(8.0, 1 / 8.0, (blocks, series))


def drawn_model(features: int, rows: int) -> FleetModel:
    """Return a model trained on random features."""
    random = np.random.default_rng(2)
    told = random.normal(size=(rows, features)).astype(np.float32)
    model = train(told, random.gamma(2.0, 0.3, (rows, 1)), Forecaster(0, TIMING).examples.lesson)
    assert model is not None, f"{rows} rows are enough"
    return model


def experts(series: int) -> dict[str, float]:
    """Return the seconds of each part of one forecast of so many series."""
    asked = Asked(series)
    demand = demand_of(BLOCKS_OF_FLEET, series)
    *_, (past, _) = asked.go_on(demand)
    minutes = np.repeat(demand[-1:], MINUTES_PER_BLOCK, axis=0)
    return {
        name: min(_seconds_of(part) for _ in range(REPEATS))
        for name, part in _parts(asked, past, outcome_of(minutes)).items()
    }


def _parts(asked: Asked, past: Past, outcome: Outcome) -> dict[str, Callable[[], object]]:
    of, level, day = asked.forecaster, asked.level, TIMING.day
    scale, volatility, made = of.standing.scale, of.volatility, of.made[-1]
    model = drawn_model(len(made.features), 2_000)

    def ridge() -> None:
        of.ridge.solve(day)
        of.ridge.forecast(of.ridge.inputs(past, of.standing), volatility, scale)
        of.ridge.learn(made.inputs, outcome.top / scale, day)

    def holt_winters() -> None:
        of.seasonal.advance(past)
        of.seasonal.forecast(TIMING.lead, volatility, scale)

    def calibration() -> None:
        of.sketches.add(made.expected, outcome, kept_of(of.standing.seen, day))
        of.sketches.uppers(made.expected, (level,))

    def weights() -> None:
        answers = made.histogram, made.mixed
        of.losses.add(made.uppers, answers, outcome, level=level, asked=level, scale=scale, day=day)
        of.losses.costs()

    return {
        "histograms": lambda: histograms(asked.percentiles(), scale),
        "last block, last hour": lambda: (
            last_block(past, volatility, scale),
            last_hour(past, scale),
        ),
        "ridge": ridge,
        "holt-winters": holt_winters,
        "gbm": lambda: boosting(model, features_of(past, of.standing), scale),
        "seasonal (by name)": lambda: earlier_days(past, volatility, scale, TIMING.lead),
        "how large a series is": lambda: of.standing.advance(past),
        "calibration of all": calibration,
        "weights of all": weights,
    }


def training(rows: int) -> dict[str, float]:
    """Return the seconds and the memory of one training."""
    begin_s = time.process_time()
    drawn_model(51, rows)
    return {"seconds": time.process_time() - begin_s, "peak_bytes": memory_bytes("VmHWM")}


def decision(series: int) -> dict[str, float]:
    """Return the mean seconds of one forecast of a small panel, the fleet's model in it."""
    asked = Asked(series)
    demand = demand_of(BLOCKS_OF_PANEL, series)
    seconds = []
    for _, took_s in asked.go_on(demand):
        seconds.append(took_s)
        if len(seconds) == BLOCKS_OF_PANEL // 3:
            asked.forecaster.model = drawn_model(len(asked.forecaster.made[-1].features), 2_000)
    return {"seconds": float(np.mean(seconds[BLOCKS_OF_PANEL // 2 :]))}


def forecast_costs() -> Iterator[Measured]:
    """Run all of it, each in a process of its own."""
    parts = answer_of("tests.benchmarks.forecast_costs", "experts", SERIES)
    yield Measured(what=f"one forecast of {SERIES} series", value=sum(parts.values()), unit="s")
    for name, seconds in parts.items():
        yield Measured(what=f"  of it: {name}", value=seconds, unit="s")
    trained = answer_of("tests.benchmarks.forecast_costs", "training", MOST_ROWS)
    what = f"one training, {MOST_ROWS} rows"
    yield Measured(what=what, value=trained["seconds"], unit="s", target=TRAINING_S)
    yield Measured(what="its peak memory", value=trained["peak_bytes"] / 2**20, unit="MiB")
    decided = answer_of("tests.benchmarks.forecast_costs", "decision", PANEL)
    what = f"one decision of {PANEL} series"
    yield Measured(what=what, value=1e3 * decided["seconds"], unit="ms", target=DECISION_MS)


def _seconds_of(part: Callable[[], object]) -> float:
    begin_s = time.process_time()
    part()
    return time.process_time() - begin_s


MEASURES: dict[str, Callable[[int], dict[str, Any]]] = {
    "experts": experts,
    "training": training,
    "decision": decision,
}

if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]](int(sys.argv[2]))))
