from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.gpu.virtual import ENDLESS, NEVER, VirtualCard

US = 1_000
MS = 1_000_000
SECOND_NS = 1_000_000_000


def keep_full(card: VirtualCard, kernels: Sequence[tuple[int, int]], until_ns: int) -> None:
    """Launch kernels so that each context always has some; (context, length) of each."""
    while card.now_ns < until_ns:
        for context, length_ns in kernels:
            while card.launch(context, length_ns):
                pass
        card.advance(min(until_ns, card.now_ns + 5 * MS))


def pair_ns(card: VirtualCard, context: int, lengths_ns: Sequence[int]) -> int:
    """Return what a pair of events reads around some kernels, on the card alone."""
    begin, end = card.open_event(context), card.open_event(context)
    card.record(context, begin)
    for length_ns in lengths_ns:
        card.launch(context, length_ns)
    card.record(context, end)
    card.advance(card.now_ns + SECOND_NS)
    begin_ns, end_ns = card.event_ns(context, begin), card.event_ns(context, end)
    assert begin_ns is not None
    assert end_ns is not None
    return end_ns - begin_ns


def share(card: VirtualCard, owner: int) -> float:
    return card.ledger(owner).kernel_ns / card.now_ns


def run_paced(card: VirtualCard, loads: Sequence[tuple[int, int, float]], until_ns: int) -> None:
    """Launch kernels of (context, length) for shares of the time; 1 keeps a few ahead."""
    due_ns = [0.0 for _ in loads]
    while card.now_ns < until_ns:
        for at, (context, length_ns, duty) in enumerate(loads):
            ahead_ns = 20 * MS if duty == 1 else 0
            while due_ns[at] <= card.now_ns + ahead_ns:
                card.launch(context, length_ns)
                due_ns[at] += length_ns / duty
        card.advance(card.now_ns + 50 * US)


class TestOneContext:
    def test_a_kernel_takes_its_length_and_the_gap_before_it(self) -> None:
        card = VirtualCard()
        context = card.open_context(7)
        ticket = card.launch(context, 5 * US)
        card.advance(5 * US + 1_729)
        assert not card.is_done(context, ticket)
        card.advance(5 * US + 1_730)
        assert card.is_done(context, ticket)
        assert (
            card.ledger(7).kernel_ns,
            card.ledger(7).busy_ns,
            card.ledger(7).kernels,
        ) == (5 * US, 6_730, 1)

    @pytest.mark.parametrize("length_ns", [2_100, 5_200, 20_200, 100_000, 1_400_000])
    def test_a_pair_reads_5_us_more_than_one_kernel_takes(self, length_ns: int) -> None:
        card = VirtualCard()
        context = card.open_context(1)
        assert length_ns + 5_000 == pair_ns(card, context, [length_ns])

    def test_a_pair_around_nothing_reads_1270_ns(self) -> None:
        card = VirtualCard()
        assert pair_ns(card, card.open_context(1), []) == 1_270

    def test_a_pair_around_16_kernels_reads_2_us_more_for_each(self) -> None:
        card = VirtualCard()
        read_ns = pair_ns(card, card.open_context(1), [10_200] * 16)
        assert pytest.approx(read_ns / 16, rel=0.01) == 12_100

    def test_streams_run_side_by_side_and_count_once(self) -> None:
        card = VirtualCard()
        context = card.open_context(1)
        other = card.open_stream(context)
        card.launch(context, 3 * MS)
        card.launch(context, 2 * MS, other)
        card.advance(10 * MS)
        assert card.ledger(1).kernel_ns == 3 * MS
        assert card.ledger(1).kernels == 2

    def test_a_stream_waits_for_another_one(self) -> None:
        card = VirtualCard()
        context = card.open_context(1)
        other = card.open_stream(context)
        first = card.launch(context, 3 * MS, other)
        card.wait(context, other, first)
        second = card.launch(context, MS)
        card.advance(3 * MS + 2 * US)
        assert card.is_done(context, first, other)
        assert not card.is_done(context, second)
        card.advance(5 * MS)
        assert card.is_done(context, second)

    def test_a_closed_gate_uses_nothing_of_the_card(self) -> None:
        card = VirtualCard()
        context = card.open_context(1)
        gate = card.gate(context)
        kernel = card.launch(context, MS)
        assert card.next_ns() == NEVER
        card.advance(SECOND_NS)
        assert card.ledger(1).busy_ns == 0
        card.release(context, gate)
        card.advance(2 * SECOND_NS)
        assert card.is_done(context, kernel)

    def test_an_endless_kernel_ends_when_it_is_released(self) -> None:
        card = VirtualCard()
        context = card.open_context(1)
        ticket = card.launch(context, ENDLESS)
        card.advance(SECOND_NS)
        assert not card.is_done(context, ticket)
        assert card.ledger(1).busy_ns == SECOND_NS
        card.release(context, ticket)
        card.advance(SECOND_NS + 1)
        assert card.is_done(context, ticket)

    def test_a_queue_takes_1024_operations(self) -> None:
        card = VirtualCard()
        context = card.open_context(1)
        tickets = [card.launch(context, MS) for _ in range(1025)]
        assert [*range(1, 1025), 0] == tickets
        card.advance(2 * MS)
        assert card.launch(context, MS) == 1025


class TestContextsInTimeSlices:
    def test_two_full_ones_get_46_percent_each(self) -> None:
        card = VirtualCard()
        kernels = [(card.open_context(owner), 1_400 * US) for owner in (1, 2)]
        keep_full(card, kernels, 3 * SECOND_NS)
        assert pytest.approx([share(card, 1), share(card, 2)], abs=0.01) == [0.46, 0.46]

    def test_three_full_ones_get_31_percent_each(self) -> None:
        card = VirtualCard()
        kernels = [(card.open_context(owner), 1_400 * US) for owner in (1, 2, 3)]
        keep_full(card, kernels, 3 * SECOND_NS)
        assert pytest.approx([share(card, owner) for owner in (1, 2, 3)], abs=0.01) == [0.31] * 3

    @pytest.mark.parametrize(
        ("loads", "measured"),
        [
            ([(1_400 * US, 0.3), (1_400 * US, 1.0)], [0.30, 0.64]),
            ([(100 * US, 0.25), (1_400 * US, 1.0)], [0.25, 0.65]),
            ([(100 * US, 0.2), (100 * US, 0.2)], [0.20, 0.20]),
            ([(100 * US, 0.2), (1_400 * US, 0.3), (11 * MS, 0.4)], [0.20, 0.30, 0.40]),
        ],
    )
    def test_shares_are_those_of_a_real_card(
        self, loads: list[tuple[int, float]], measured: list[float]
    ) -> None:
        card = VirtualCard()
        paced = [
            (card.open_context(owner), length_ns, duty)
            for owner, (length_ns, duty) in enumerate(loads, 1)
        ]
        run_paced(card, paced, 3 * SECOND_NS)
        shares = [share(card, owner) for owner in range(1, len(loads) + 1)]
        assert measured == pytest.approx(shares, abs=0.02)

    def test_pairs_read_the_true_length_or_that_and_a_slice_of_the_neighbour(self) -> None:
        card = VirtualCard()
        context, neighbour = card.open_context(1), card.open_context(2)
        begin, end = card.open_event(context), card.open_event(context)
        read_ns = []
        for _ in range(200):
            while card.launch(neighbour, 1_400 * US):
                pass
            card.record(context, begin)
            card.launch(context, 1_393 * US)
            card.record(context, end)
            while (end_ns := card.event_ns(context, end)) is None:
                card.advance(card.next_ns())
            begin_ns = card.event_ns(context, begin)
            assert begin_ns is not None
            read_ns.append(end_ns - begin_ns)
        assert {1_398 * US, 1_398 * US + 2_430 * US} == set(read_ns)

    def test_an_idle_neighbour_costs_nothing(self) -> None:
        card = VirtualCard()
        card.open_context(2)
        keep_full(card, [(card.open_context(1), 1_400 * US)], SECOND_NS)
        assert card.ledger(1).busy_ns == SECOND_NS
        assert card.card_ledger().switches == 0

    def test_the_work_of_a_context_ends_with_it_and_its_ledger_stays(self) -> None:
        card = VirtualCard()
        dead, alive = card.open_context(1), card.open_context(2)
        card.launch(dead, 10 * SECOND_NS)
        card.advance(MS)
        card.close_context(dead)
        ticket = card.launch(alive, MS)
        card.advance(3 * MS)
        assert card.is_done(alive, ticket)
        assert card.ledger(1).busy_ns == MS


Step = tuple[str, int, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("launch"), st.integers(0, 5), st.integers(1, 8 * MS)),
        st.tuples(st.just("record"), st.integers(0, 5), st.integers(0, 1)),
        st.tuples(st.just("pass"), st.integers(0, 5), st.integers(1, 10 * MS)),
    ),
    max_size=40,
)


def played(script: Sequence[Step], pass_time: Callable[[VirtualCard, int], None]) -> VirtualCard:
    """Play a script on three contexts with two streams each."""
    card = VirtualCard()
    contexts = [card.open_context(owner) for owner in (1, 2, 3)]
    streams = [
        (context, stream) for context in contexts for stream in (0, card.open_stream(context))
    ]
    events = {context: [card.open_event(context), card.open_event(context)] for context in contexts}
    for what, where, amount in script:
        context, stream = streams[where]
        if what == "launch":
            card.launch(context, amount, stream)
        elif what == "record":
            card.record(context, events[context][amount], stream)
        else:
            pass_time(card, card.now_ns + amount)
    return card


@given(steps)
def test_all_time_is_busy_or_switching_or_idle(script: list[Step]) -> None:
    card = played(script, lambda card, until_ns: card.advance(until_ns))
    found = card.card_ledger()
    assert card.now_ns == found.all.busy_ns + found.switch_ns + found.idle_ns


@given(steps)
def test_the_card_has_done_what_its_owners_have(script: list[Step]) -> None:
    card = played(script, lambda card, until_ns: card.advance(until_ns))
    found = [card.ledger(owner) for owner in (1, 2, 3)]
    total = card.card_ledger().all
    assert (total.busy_ns, total.kernel_ns, total.kernels) == (
        sum(each.busy_ns for each in found),
        sum(each.kernel_ns for each in found),
        sum(each.kernels for each in found),
    )


@given(steps, st.integers(1, 7))
def test_it_does_not_matter_how_often_somebody_looks(script: list[Step], pieces: int) -> None:
    def in_pieces(card: VirtualCard, until_ns: int) -> None:
        begin_ns = card.now_ns
        for piece in range(1, pieces + 1):
            card.advance(begin_ns + (until_ns - begin_ns) * piece // pieces)
            card.next_ns()

    at_once = played(script, lambda card, until_ns: card.advance(until_ns))
    assert at_once.card_ledger() == played(script, in_pieces).card_ledger()


@given(steps)
def test_work_that_was_launched_ends(script: list[Step]) -> None:
    card = played(script, lambda card, until_ns: card.advance(until_ns))
    while (next_ns := card.next_ns()) != NEVER:
        card.advance(next_ns)
    launched = sum(1 for what, *_ in script if what == "launch")
    lengths_ns = sum(amount for what, _, amount in script if what == "launch")
    assert launched == card.card_ledger().all.kernels
    assert lengths_ns >= card.card_ledger().all.kernel_ns
