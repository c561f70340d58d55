from hypothesis import given
from hypothesis import strategies as st

from autoscaler.kube.backoff import FIRST_S, LONGEST_S, Backoff

SHARES = st.floats(0, 1, exclude_max=True)


@given(st.lists(SHARES, min_size=1, max_size=80))
def test_every_wait_is_between_the_first_and_the_longest(shares):
    numbers = iter(shares)
    backoff = Backoff(random_share=lambda: next(numbers))

    waits_s = [backoff.next_s() for _ in shares]

    assert min(waits_s) >= FIRST_S
    assert max(waits_s) <= LONGEST_S


@given(SHARES, SHARES)
def test_waits_grow_until_they_are_the_longest_whatever_the_random_part_is(one, other):
    numbers = iter([one, other] * 4)
    backoff = Backoff(first_s=1.0, longest_s=64.0, random_share=lambda: next(numbers))

    waits_s = [backoff.next_s() for _ in range(6)]

    assert waits_s == sorted(waits_s)


def test_waits_double():
    backoff = Backoff(random_share=lambda: 0.0)

    assert [backoff.next_s() for _ in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


def test_waits_begin_again_after_a_success():
    backoff = Backoff(random_share=lambda: 0.0)
    first_s = [backoff.next_s(), backoff.next_s()][0]

    backoff.reset()

    assert backoff.next_s() == first_s
