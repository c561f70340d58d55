"""Whatever goes wrong, nothing is given twice, and all is as it should be soon after it ends."""

import logging

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.kube.resource import PODS, WORKLOADS
from autoscaler.workloads.books.observed_claims import observed_claims
from tests.autoscaler.workloads.troubled_controller import TroubledWorld

STEPS = 150
SETTLED_S = 130.0
"""The longest that anything is waited for without a change."""


class Defects(logging.Handler):
    """Keeps what was logged as an error."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32 - 1))
def test_after_all_trouble_nothing_is_left_to_do(seed):
    defects, log = Defects(), logging.getLogger("autoscaler")
    log.addHandler(defects)
    try:
        world = TroubledWorld(seed)
        world.live_through(STEPS)
        world.rest(SETTLED_S)
        world.writes()
        world.rest(25.0)
        writes_at_rest = world.writes()
        controller = world.controller
        books = controller.tools.books
        drift = books.drift(observed_claims(world.api.all(PODS), books.card))
        in_flight = books.snapshot().in_flight
        world.replace_controller()
        world.rest(3.0)
    finally:
        log.removeHandler(defects)

    assert defects.texts == []
    assert writes_at_rest == []
    assert (drift, in_flight) == ((), 0)
    assert world.writes() == []
    statuses = [each.get("status") or {} for each in world.api.all(WORKLOADS)]
    decided = [each for each in statuses if "desiredResources" in each]
    assert [each["applied"]["sequence"] for each in decided] == [
        each["desiredResources"]["sequence"] for each in decided
    ]
