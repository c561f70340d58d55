"""Trained trees as arrays: of all trees at once, the leaf that each row ends in.

A condition rules out the leaves on the side of its node that a row does not go to, and after all
conditions one leaf is left (Lucchese et al. 2015, "QuickScorer").  What conditions on one feature
rule out depends on the interval between their thresholds that the feature lies in, so that each
feature is looked up once for all trees.  The library asks one tree after another, and for a few
series the asking costs more than the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.features import Matrix
from recommender.observation import Bools, Floats

MOST_LEAVES = 16
"""Of one tree: a bit each."""
ROWS_AT_ONCE = 256
"""Whose leaves stay in the processor's cache."""

Nodes = NDArray[np.void]
"""Nodes of one tree as scikit-learn keeps them: a record each, the root first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """``T`` trees over ``F`` features."""

    thresholds: Floats
    """[F, K] ascending; infinite behind the last of a feature."""
    leaves: NDArray[np.uint16]
    """[F, K + 2, T] bits of the leaves that are not ruled out where so many thresholds lie below
    the feature; last where the feature is not known."""
    values: Floats
    """[T, MOST_LEAVES]"""

    def sums(self, features: Matrix, groups: int) -> Floats:
        """Return what the trees of each of so many groups, one behind the other, say together.

        ``[S, groups]``
        """
        found = np.empty((len(features), groups))
        for begin in range(0, len(features), ROWS_AT_ONCE):
            part = slice(begin, begin + ROWS_AT_ONCE)
            answers = self._answers(features[part])
            found[part] = answers.reshape(len(answers), groups, -1).sum(axis=2)
        return found

    def _answers(self, features: Matrix) -> Floats:
        """Return the value of the leaf of each row in each tree, ``[S, T]``."""
        left = np.full((len(features), len(self.values)), np.uint16(2**MOST_LEAVES - 1))
        stays = np.empty_like(left)
        for thresholds, leaves, feature in zip(
            self.thresholds, self.leaves, features.T, strict=True
        ):
            below = np.searchsorted(thresholds, feature)
            below[np.isnan(feature)] = len(leaves) - 1
            # the mode says that all of them are within, which saves a copy
            left &= np.take(leaves, below, axis=0, out=stays, mode="clip")
        tree = np.arange(len(self.values))
        return np.asarray(self.values[tree, np.bitwise_count(left - np.uint16(1))])


def trees_of(trained: Sequence[Nodes], features: int) -> Trees:
    """Return trees over so many features, each of ``MOST_LEAVES`` at most."""
    splits = [nodes[nodes["is_leaf"] == 0] for nodes in trained]
    every = np.concatenate(splits)
    of_feature = [
        np.unique(every["num_threshold"][every["feature_idx"] == feature])
        for feature in range(features)
    ]
    thresholds = np.full((features, max(map(len, of_feature))), np.inf)
    for row, known in zip(thresholds, of_feature, strict=True):
        row[: len(known)] = known
    leaves = np.empty((features, thresholds.shape[1] + 2, len(trained)), np.uint16)
    values = np.zeros((len(trained), MOST_LEAVES))
    for tree, (nodes, split) in enumerate(zip(trained, splits, strict=True)):
        own = nodes["value"][nodes["is_leaf"] == 1]
        values[tree, : len(own)] = own
        leaves[:, :, tree] = (1 << len(own)) - 1
        below = _leaves_below(nodes)
        left, right = (below[split[side]][:, None] for side in ("left", "right"))
        goes_right = _goes_right(split, thresholds)
        np.bitwise_and.at(
            leaves[:, :, tree], split["feature_idx"], np.where(goes_right, ~left, ~right)
        )
    return Trees(thresholds=thresholds, leaves=leaves, values=values)


def _leaves_below(nodes: Nodes) -> NDArray[np.uint16]:
    """Return the bits of the leaves below each node; children stand behind their parent."""
    is_leaf = nodes["is_leaf"] == 1
    below = np.zeros(len(nodes), np.uint16)
    below[is_leaf] = 1 << np.arange(np.count_nonzero(is_leaf))
    for node in np.flatnonzero(~is_leaf)[::-1]:
        below[node] = below[nodes["left"][node]] | below[nodes["right"][node]]
    return below


def _goes_right(split: Nodes, thresholds: Floats) -> Bools:
    """Return on which side of each node a feature lies, ``[nodes, K + 2]``, as ``leaves`` is."""
    own = split["num_threshold"][:, None]
    place = np.count_nonzero(thresholds[split["feature_idx"]] < own, axis=1)
    # what is equal to the threshold goes to the left
    goes_right = np.arange(thresholds.shape[1] + 2) > place[:, None]
    goes_right[:, -1] = split["missing_go_to_left"] == 0
    return np.asarray(goes_right, np.bool_)
