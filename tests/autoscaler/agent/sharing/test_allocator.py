import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.agent.pages.progress import Progress
from autoscaler.agent.sharing.allocator import CardAllocator, CardUser
from tests.autoscaler.agent.sharing.card import FULL, SharedCard

LOW, MEDIUM, HIGH, CRITICAL = range(4)


def _user(uid="a", *, used=None, request=0.0, limit=1.0, qos_rank=MEDIUM):
    seen = used if used is None else Progress(span_s=1.0, charged_s=used, blocked_s=0, launches=1)
    return CardUser(uid=uid, request=request, limit=limit, qos_rank=qos_rank, seen=seen)


def test_a_worker_alone_has_its_limit():
    card = SharedCard((0.1, 0.5, MEDIUM))

    assert card.run([1.0], 1.0) == [0.5]


def test_a_critical_worker_that_arrives_has_its_request_within_a_second():
    card = SharedCard((0.2, 1.0, LOW), (0.6, 0.8, CRITICAL))
    before = card.run([1.0, 0.0], 5.0)

    used = card.run([1.0, 1.0], 1.0)

    assert before == [1.0, 0.0]
    assert used[1] >= 0.6
    assert used[0] >= 0.2


def test_the_card_is_used_again_when_the_critical_worker_goes_to_sleep():
    card = SharedCard((0.2, 1.0, LOW), (0.6, 0.8, CRITICAL))
    card.run([1.0, 1.0], 2.0)

    assert card.run([1.0, 0.0], 5.0)[0] == 1.0


def test_a_worker_below_its_request_leaves_the_rest_to_others():
    card = SharedCard((0.6, 1.0, MEDIUM), (0.2, 1.0, MEDIUM))

    used = card.run([0.3, 1.0], 5.0)

    assert used[0] == pytest.approx(0.3)
    # What a worker wants is known to a fifth and a tenth of the card.
    assert used[1] >= 1.0 - 0.3 * 1.2 - 0.11


@settings(max_examples=60)
@given(
    requests=st.lists(st.floats(0.05, 0.3), min_size=2, max_size=3),
    ranks=st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_who_wants_its_request_has_it_on_a_full_card(requests, ranks):
    rows = zip(requests, ranks, strict=False)
    card = SharedCard(*((request, 1.0, rank) for request, rank in rows))

    used = card.run([1.0] * len(requests), 3.0)

    for request, got in zip(requests, used, strict=True):
        assert got >= request * FULL - 0.011


def test_who_claims_to_wait_and_uses_nothing_does_not_keep_the_spare():
    allocator = CardAllocator()
    forged = Progress(span_s=0.1, charged_s=0.0, blocked_s=0.1, launches=1)
    forger = CardUser(uid="f", request=0.2, limit=1.0, qos_rank=CRITICAL, seen=forged)
    honest = Progress(span_s=0.1, charged_s=0.1, blocked_s=0.0, launches=1)
    neighbour = CardUser(uid="n", request=0.2, limit=1.0, qos_rank=LOW, seen=honest)

    shares = [allocator.advance([forger, neighbour])["n"] for _ in range(100)]

    assert min(shares) >= 0.2
    assert shares[-1] == 1.0


def test_a_share_that_would_move_by_less_than_a_point_stays():
    allocator = CardAllocator()
    first = allocator.advance([_user("a", used=1.0), _user("b", used=0.4, request=0.4)])
    second = allocator.advance([_user("a", used=1.0), _user("b", used=0.4, request=0.405)])

    assert first == second


def test_a_limit_is_met_exactly_however_small_the_step():
    allocator = CardAllocator()
    allocator.advance([_user(limit=0.3)])

    assert allocator.advance([_user(limit=0.303)]) == {"a": 0.303}
    assert allocator.advance([_user(limit=0.301)]) == {"a": 0.301}


def test_a_worker_has_its_limit_until_there_was_a_look():
    assert CardAllocator().share_of(_user(limit=0.3)) == 0.3


def test_a_lowered_limit_counts_at_once():
    allocator = CardAllocator()
    allocator.advance([_user(limit=0.6)])

    assert allocator.share_of(_user(limit=0.2)) == 0.2


def test_workers_that_are_gone_are_forgotten():
    allocator = CardAllocator()
    allocator.advance([_user("a", used=1.0), _user("b", used=1.0)])
    allocator.advance([_user("b", used=1.0)])

    assert allocator.share_of(_user("a", limit=0.9)) == 0.9
