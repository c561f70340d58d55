from dataclasses import fields, replace

import numpy as np
import pytest

from recommender.backtest.lookback import what_if
from recommender.backtest.whatif import Scores
from recommender.usage.evidence_of import read_evidence
from tests.builders import policy
from tests.fleets import GIB, Fleet
from tests.recommender.backtest.frames import daily

HOURS = 30


@pytest.fixture(scope="module")
def fleet():
    amount = np.array([[100.0, 40 * GIB], [5.0, 10 * GIB]])
    made = Fleet(
        [policy(), policy()],
        columns={"request": amount, "limit": amount * 2, "stated_limit": amount * 2},
        applies=False,
    )
    use = daily(1, HOURS)[0]
    made.use(use, step_s=60)
    made.use(np.full(len(use), 20 * GIB), step_s=60, resource=1)
    made.pass_time(HOURS * 3600)
    return made


@pytest.fixture(scope="module")
def result(fleet):
    evidence = read_evidence(fleet.model, fleet.rows, fleet.now_s)
    return what_if(fleet.observe(), fleet.policies, evidence, now_s=fleet.now_s)


def test_the_replay_spans_what_was_recorded(fleet, result):
    assert result.start_s == fleet.begin_s
    assert fleet.now_s - 600 <= result.end_s <= fleet.now_s


def test_a_generous_request_has_more_slack_than_the_recommended_one(result):
    assert 0 < result.requests.slack[0, 0] < result.current_requests.slack[0, 0]


def test_a_request_that_was_too_low_is_shown_as_violated_today(result):
    assert result.current_requests.violated_share[1, 0] == pytest.approx(1.0)
    assert result.requests.violated_share[1, 0] < 0.5


def test_vram_that_would_have_failed_is_shown(result):
    assert result.current_requests.violated_share[:, 1] == pytest.approx([0.0, 1.0])
    assert result.requests.violated_share[:, 1] == pytest.approx([0.0, 0.0])


def test_a_burst_of_one_minute_in_five_is_not_lost_in_the_mean_of_its_block():
    bursty = Fleet([policy()], applies=False)
    use = np.where(np.arange(6 * 60) % 5 == 2, 50.0, 5.0)
    bursty.use(use, step_s=60)
    bursty.pass_time(6 * 3600)
    evidence = read_evidence(bursty.model, bursty.rows, bursty.now_s)
    replayed = what_if(bursty.observe(), bursty.policies, evidence, now_s=bursty.now_s)
    decided = bursty.tick().target_request[0, 0]
    assert replayed.requests.slack[0, 0] + 1 == pytest.approx(decided / use.mean(), rel=0.02)


def test_limits_violate_less_than_requests(result):
    assert (result.limits.violated_share <= result.requests.violated_share).all()


def test_what_does_not_change_has_no_changes(result):
    assert (result.current_limits.changes_per_day == 0).all()
    assert (result.limits.changes_per_day[:, 0] > 0).all()


def test_without_something_in_force_there_is_nothing_to_compare_with(fleet):
    nothing = np.full((2, 2), np.nan)
    fleet.set(request=nothing)
    evidence = read_evidence(fleet.model, fleet.rows, fleet.now_s)
    bare = what_if(fleet.observe(), fleet.policies, evidence, now_s=fleet.now_s)
    assert np.isnan(bare.current_requests.slack).all()
    assert np.isfinite(bare.requests.slack).all()


FORECAST = {"autoSetLimits": {"enable": True, "riskTarget": "1%", "prediction": {"enable": True}}}


@pytest.fixture(scope="module")
def look_back():
    """Return what looks back on three workloads, of which the first two ask for forecasts."""
    made = Fleet([policy(FORECAST), policy(FORECAST), policy()], applies=False)
    made.use(daily(1, 10)[0], step_s=60)
    made.pass_time(10 * 3600)
    evidence = read_evidence(made.model, made.rows, made.now_s)
    noise = np.random.default_rng(1).uniform(0.5, 1.5, evidence.block_max.shape)
    evidence = replace(
        evidence,
        block_max=evidence.block_max * noise.astype(np.float32),
        block_mean=evidence.block_mean * noise.astype(np.float32),
    )

    def look_back(wanted=None):
        return what_if(made.observe(), made.policies, evidence, now_s=made.now_s, wanted=wanted)

    return look_back


@pytest.mark.parametrize(
    ("wanted", "replayed"), [([2], [False, False, True]), ([1], [True, True, False])]
)
def test_one_workload_has_its_scores_of_the_fleet_from_those_it_learns_of(
    look_back, wanted, replayed
):
    whole, found = look_back(), look_back(wanted)

    assert np.isfinite(whole.limits.slack[:, 0]).all()
    assert np.isfinite(found.limits.slack[:, 0]).tolist() == replayed
    for side in ("requests", "limits", "current_requests", "current_limits"):
        for score in fields(Scores):
            of_fleet, alone = (getattr(getattr(each, side), score.name) for each in (whole, found))
            np.testing.assert_array_equal(alone[wanted], of_fleet[wanted])


def test_of_nobody_there_is_no_back_test(look_back):
    assert look_back([]) is None


def test_without_a_block_there_is_no_back_test():
    empty = Fleet([policy()])
    evidence = read_evidence(empty.model, empty.rows, empty.now_s)
    assert what_if(empty.observe(), empty.policies, evidence, now_s=empty.now_s) is None


def test_progress_runs_from_the_first_pass_to_the_end_of_the_second(fleet):
    shares = []
    evidence = read_evidence(fleet.model, fleet.rows, fleet.now_s)
    what_if(fleet.observe(), fleet.policies, evidence, now_s=fleet.now_s, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
