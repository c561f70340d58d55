"""Which rows of a fleet are shown anew: what moved, and whose turn it is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.live.showing.recommended import PACE_S, Recommended, has_moved, offset_s
from tests.autoscaler.api_double import START_S

NAN = float("nan")


def identity(name, uid="1"):
    return ("team", name, "A100", uid)


def fleet(*names):
    recommended = Recommended()
    recommended.align(tuple(map(identity, names)), 2)
    return recommended


def due(recommended, *rows, now_s=START_S):
    return recommended.due(np.array(rows, float), now_s).tolist()


def test_what_was_never_shown_is_due_once_it_is_known():
    assert due(fleet("a", "b"), [NAN, NAN], [1.0, NAN]) == [False, True]


def test_what_was_shown_is_due_when_it_moves_and_its_pace_is_over():
    here = fleet("a")
    here.note([0], np.array([[10.0, NAN]]), START_S)

    assert due(here, [11.0, NAN]) == [False]
    later_s = START_S + PACE_S
    assert due(here, [10.9, NAN], now_s=later_s) == [False]
    assert due(here, [11.0, NAN], now_s=later_s) == [True]
    assert due(here, [9.0, NAN], now_s=later_s) == [True]
    assert due(here, [NAN, NAN], now_s=later_s) == [True]


def test_a_number_that_comes_to_be_known_does_not_wait_for_the_pace():
    here = fleet("a")
    here.note([0], np.array([[NAN, 10.0]]), START_S)

    assert due(here, [20.0, 10.0], now_s=START_S + 1) == [True]
    assert due(here, [NAN, NAN], now_s=START_S + 1) == [False]


def test_rows_keep_what_was_shown_of_them_when_the_fleet_changes():
    here = fleet("a", "b")
    here.note([0, 1], np.array([[10.0, 1.0], [20.0, 2.0]]), START_S)

    assert here.align((identity("b"), identity("a", uid="2"), identity("c")), 2) == [1, 2]
    rows = ([20.0, 2.0], [10.0, 1.0], [5.0, 5.0])
    assert due(here, *rows, now_s=START_S + PACE_S) == [False, True, True]


def test_what_an_earlier_process_showed_has_its_turn_within_one_pace():
    here = fleet("a")
    here.learn(0, [10.0, 1.0], START_S)
    turn_s = START_S + PACE_S - offset_s("1")

    assert due(here, [20.0, 1.0], now_s=turn_s - 1) == [False]
    assert due(here, [20.0, 1.0], now_s=turn_s) == [True]


@given(st.text(min_size=1))
def test_every_workload_has_a_moment_of_its_own_within_one_pace(uid):
    assert 0 <= offset_s(uid) < PACE_S


def test_a_recommendation_has_moved_when_an_amount_comes_goes_or_changes_by_a_tenth():
    before = {"requests": {"tflops": "10"}}
    assert not has_moved(before, {"requests": {"tflops": "10900m"}})
    assert has_moved(before, {"requests": {"tflops": "11"}})
    assert has_moved(before, {"requests": {"tflops": "9"}})
    assert has_moved(before, {})
    assert has_moved(before, {"requests": {"tflops": "10", "vram": "1Gi"}})
    assert has_moved({}, before)
    assert not has_moved({}, {})
