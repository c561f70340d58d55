import pytest

from autoscaler.agent.pages.progress import progress
from autoscaler.agent.pages.use_page import parse_use
from tests.autoscaler.agent.pages.pages import use_bytes, use_page


def _reading(now_ns, **counters):
    page = use_page()
    for name, value in counters.items():
        setattr(page.gpu[0], name, value)
    return parse_use(use_bytes(page), 1, now_ns, "use")


def test_progress_is_what_was_added_between_two_looks():
    before = _reading(10**9, charged_ns=5, launches=1)
    after = _reading(3 * 10**9, charged_ns=5 + 10**9, launches=4, blocked_ns=5 * 10**8)

    seen = progress(before, after, 0)

    assert (seen.span_s, seen.charged_s, seen.blocked_s, seen.launches) == (2.0, 1.0, 0.5, 3)
    assert (seen.charged_share, seen.blocked_ratio, seen.fell) == (0.5, 0.25, ())


def test_threads_that_wait_side_by_side_are_held_all_the_time_at_most():
    seen = progress(_reading(0), _reading(10**9, blocked_ns=8 * 10**9), 0)

    assert (seen.blocked_s, seen.blocked_ratio) == (8.0, 1.0)


@pytest.mark.parametrize("name", ["charged_ns", "launches", "blocked_ns", "denied_bytes"])
def test_a_counter_that_goes_down_is_told_and_counts_as_nothing(name):
    seen = progress(_reading(0, **{name: 9}), _reading(10**9, **{name: 8}), 0)

    assert seen.fell == (name,)
    assert (seen.charged_s, seen.blocked_s, seen.launches) == (0.0, 0.0, 0)


def test_a_debt_that_was_given_back_is_no_counter_that_fell():
    assert progress(_reading(0, tat_ns=9), _reading(10**9, tat_ns=8), 0).fell == ()
