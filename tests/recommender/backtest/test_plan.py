from hypothesis import given
from hypothesis import strategies as st

from recommender.backtest.plan import ReplayPlan
from recommender.decision import Layer

PLAN = ReplayPlan(steps_s={Layer.REQUESTS: 3600, Layer.LIMITS: 900})


@given(st.integers(0, 10**6), st.integers(0, 10**5))
def test_ticks_are_the_times_at_which_some_layer_decides(begin_s, span_s):
    ticks_s = list(PLAN.ticks_s(begin_s, begin_s + span_s))
    assert ticks_s == [s for s in range(begin_s, begin_s + span_s) if PLAN.due(s)]
