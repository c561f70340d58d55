"""Tables to train on, and forecasts that have such tables."""

import numpy as np

from recommender.decision import Layer
from recommender.forecast.asked import StreamKey
from recommender.forecast.lesson import OF_BLOCKS
from recommender.forecast.training_table import TrainingTable

LIMITS = StreamKey(Layer.LIMITS, 0, 600)
REQUESTS = StreamKey(Layer.REQUESTS, 0, 3600)
FEATURES = 6


def table(rows=600, *, seed=0, version="v1"):
    """Return a table in which the first feature says what comes."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    outcome = np.abs(0.2 * features[:, :1] + 0.5) + 0.02 * rng.random((rows, 1))
    return TrainingTable(features=features, outcome=outcome, lesson=OF_BLOCKS, version=version)


class TableForecasts:
    """Stands for the forecasts of a fleet: streams with tables that tests set."""

    def __init__(self, **tables):
        self.tables = {LIMITS: table(), **tables}
        self.installed = {}
        self.installs = 0

    def training_rows(self):
        return {key: len(each.outcome) for key, each in self.tables.items()}

    def training_tables(self, keys):
        return {key: self.tables[key] for key in keys}

    def install(self, key, model):
        self.installed[key] = model
        self.installs += 1
