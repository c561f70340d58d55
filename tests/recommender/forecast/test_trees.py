"""Trees as arrays say what the library says that trained them."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from recommender.forecast.trees import ROWS_AT_ONCE, trees_of

FEATURES = 5


def rows(count, *, seed=0):
    """Return features, a fifth of them not known and one never, and what comes."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, FEATURES)).astype(np.float32)
    features[random.random(features.shape) < 0.2] = np.nan
    features[:, 3] = np.round(features[:, 3])
    came = np.nan_to_num(features[:, 0]) * np.nan_to_num(features[:, 1]) + np.isnan(features[:, 2])
    return features, came + 0.1 * random.normal(size=count)


def trained(features, came, *, trees=12, leaves=15):
    """Return the library's regressor, and its trees as arrays."""
    regressor = HistGradientBoostingRegressor(
        max_iter=trees, max_leaf_nodes=leaves, early_stopping=False, random_state=0
    ).fit(features, came)
    nodes = [regressor._predictors[tree][0].nodes for tree in range(trees)]
    return regressor, trees_of(nodes, FEATURES)


def said(regressor, trees, features):
    """Return what the library says of some rows, and what the arrays say."""
    base = regressor._baseline_prediction.item()
    return regressor.predict(features), base + trees.sums(features, 1)[:, 0]


@pytest.mark.parametrize("count", [1, 7, ROWS_AT_ONCE + 3])
def test_trees_say_what_the_library_says(count):
    regressor, trees = trained(*rows(2000))
    np.testing.assert_allclose(*said(regressor, trees, rows(count, seed=9)[0]), atol=1e-12)


def test_what_is_equal_to_a_threshold_goes_where_the_library_puts_it():
    regressor, trees = trained(*rows(2000))
    features = np.repeat(trees.thresholds.astype(np.float32).T, 3, axis=0)
    features[1::3] = np.nextafter(features[1::3], np.float32(np.inf))
    features[2::3] = np.nextafter(features[2::3], np.float32(-np.inf))
    np.testing.assert_allclose(*said(regressor, trees, features), atol=1e-12)


def test_a_feature_that_nobody_has_and_a_tree_without_a_split_are_no_obstacle():
    features, came = rows(200)
    features[:, 4] = 1.0
    regressor, trees = trained(features, np.full(len(came), 3.0))
    np.testing.assert_allclose(*said(regressor, trees, features), atol=1e-12)


def test_rows_say_the_same_alone_and_beside_others():
    _, trees = trained(*rows(2000))
    features, _ = rows(ROWS_AT_ONCE + 3, seed=9)
    alone = np.concatenate([trees.sums(row[None], 3) for row in features])
    np.testing.assert_array_equal(trees.sums(features, 3), alone)
