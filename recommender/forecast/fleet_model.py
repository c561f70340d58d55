"""One model for all series: gradient boosting on quantiles, trained on the fleet's own past.

Losses are those of shares of each series' level, not of logarithms: an error costs what it wastes.
Trained once a day; never required, for calibration and selection go on without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from recommender.forecast.features import Matrix
from recommender.forecast.lesson import Lesson
from recommender.forecast.trees import Trees, trees_of
from recommender.observation import Floats

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import ThreadpoolController

TREES = 100
LEAVES = 15
LEARNING_RATE = 0.1
BINS = 64
LEAST_ROWS = 500
LARGEST_SHARE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetModel:
    """Trees of each quantile of its lesson, one after the other."""

    trees: Trees
    base: Floats
    """[levels] what trees add to."""
    rows: int
    """That it was trained on: each outcome of a block is one."""

    def quantiles(self, features: Matrix) -> Floats:
        """Return shares of each series' level, ``[levels, S]``, rising with the level."""
        shares = self.trees.sums(features, len(self.base)).T + self.base[:, None]
        return np.asarray(np.maximum.accumulate(np.maximum(shares, 0.0), axis=0), np.float64)


def one_thread() -> AbstractContextManager[object]:
    """Return a context in which the library computes on one thread.

    Its threads wait for one another in a busy loop: beside other work, a millisecond becomes a
    second.  And sums in another order would give another model on another machine.
    """
    limited: AbstractContextManager[object] = _threads().limit(limits=1, user_api="openmp")
    return limited


@cache
def _threads() -> ThreadpoolController:
    """Return the thread pools of what is loaded: found once, for looking takes long."""
    import sklearn.ensemble  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def train(features: Matrix, outcome: Floats, lesson: Lesson) -> FleetModel | None:
    """Return a model of ``outcome`` (shares, ``[N, K]``) by ``features`` ``[N, F]``.

    None: too little.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    row, part = np.nonzero(~np.isnan(outcome))
    if len(row) < LEAST_ROWS:
        return None
    x, y = features[row], np.minimum(outcome[row, part], LARGEST_SHARE)
    # a column without any value cannot be cut into bins
    x = np.where(np.isnan(x).all(axis=0), np.float32(0), x)
    with one_thread():
        regressors = tuple(
            HistGradientBoostingRegressor(
                loss="quantile",
                quantile=level,
                max_iter=TREES,
                max_leaf_nodes=LEAVES,
                learning_rate=LEARNING_RATE,
                max_bins=BINS,
                min_samples_leaf=lesson.leaf_rows,
                l2_regularization=1.0,
                early_stopping=False,
                random_state=0,
            ).fit(x, y)
            for level in lesson.levels
        )
    return _model_of(regressors, len(row))


def _model_of(regressors: Sequence[HistGradientBoostingRegressor], rows: int) -> FleetModel:
    """Return what was trained; the library has no public name for the nodes of its trees."""
    trees = [one._predictors[at][0].nodes for one in regressors for at in range(TREES)]  # noqa: SLF001
    base = np.concatenate([one._baseline_prediction.ravel() for one in regressors])  # noqa: SLF001
    return FleetModel(trees=trees_of(trees, regressors[0].n_features_in_), base=base, rows=rows)
