from dataclasses import replace

import numpy as np
import pytest

from recommender.backtest.actuation import InForce
from recommender.backtest.contender import Contender, known_to_all, stated_amounts
from recommender.backtest.replayed_fleet import unbounded_workloads
from recommender.backtest.rules import VPA
from recommender.decision import Layer
from recommender.errors import ContractError
from tests.builders import policy

NAN = float("nan")


def in_force(amounts):
    return InForce(since_s=10 * np.arange(len(amounts)), amounts=np.array(amounts))


def test_a_part_of_the_workloads_has_its_part_of_the_policies():
    policies = tuple(policy(percentile=level) for level in (0.5, 0.6, 0.7))
    assert Contender(name="own", policies=policies).of_rows([2, 0]).policies == (
        policies[2],
        policies[0],
    )


@pytest.mark.parametrize("same", [Contender(name="stated"), Contender(name="vpa", rule=VPA)])
def test_a_rule_or_what_is_stated_is_the_same_for_every_part(same):
    assert same.of_rows([0]) == same


def test_amounts_that_one_policy_lacks_are_left_out_of_all():
    first, second = known_to_all(
        [
            {Layer.REQUESTS: in_force([[1.0, NAN]] * 3)},
            {Layer.REQUESTS: in_force([[NAN, 2.0], [3.0, 2.0], [3.0, 2.0]])},
        ]
    )
    np.testing.assert_array_equal(
        first[Layer.REQUESTS].amounts, [[NAN, NAN], [1.0, NAN], [1.0, NAN]]
    )
    np.testing.assert_array_equal(
        second[Layer.REQUESTS].amounts, [[NAN, NAN], [3.0, NAN], [3.0, NAN]]
    )


def test_amounts_of_different_times_cannot_be_put_together():
    one = in_force([[1.0]] * 3)
    later = replace(one, since_s=one.since_s + 1)
    with pytest.raises(ContractError, match="different times"):
        known_to_all([{Layer.LIMITS: one}, {Layer.LIMITS: later}])


def test_what_is_stated_is_the_declared_amount_and_not_what_is_in_force():
    workloads = unbounded_workloads(
        (("team", "w0"),),
        1,
        stated_limit=np.array([[8.0]]),
        request=np.array([[3.0]]),
        stated_replicas=np.array([2.0]),
    )
    assert stated_amounts(workloads, Layer.REQUESTS).tolist() == [[8.0]]
    assert stated_amounts(workloads, Layer.LIMITS).tolist() == [[8.0]]
    assert stated_amounts(workloads, Layer.REPLICAS).tolist() == [2.0]
