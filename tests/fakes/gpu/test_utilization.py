from __future__ import annotations

import pytest

from tests.fakes.gpu.virtual import WINDOW_NS, VirtualCard

US = 1_000
MS = 1_000_000
SECOND_NS = 1_000_000_000


def run(card: VirtualCard, loads: list[tuple[int, int, float]]) -> None:
    """Launch kernels of (context, length) for shares of one second."""
    due_ns = [0.0 for _ in loads]
    while card.now_ns < SECOND_NS:
        for at, (context, length_ns, duty) in enumerate(loads):
            while due_ns[at] <= card.now_ns:
                card.launch(context, length_ns)
                due_ns[at] += length_ns / duty
        card.advance(card.now_ns + 50 * US)


def test_windows_end_every_200_ms() -> None:
    card = VirtualCard()
    card.advance(SECOND_NS)
    assert [WINDOW_NS * at for at in range(1, 6)] == [each.end_ns for each in card.windows()]


def test_a_process_without_work_has_no_row() -> None:
    card = VirtualCard()
    card.open_context(1)
    card.advance(SECOND_NS)
    assert [each.percent_of for each in card.windows()] == [{}] * 5


@pytest.mark.parametrize("duty", [0.10, 0.25, 0.50, 0.75])
def test_alone_a_process_reads_what_it_uses(duty: float) -> None:
    card = VirtualCard()
    run(card, [(card.open_context(1), 1_400 * US, duty)])
    assert 100 * duty == pytest.approx(card.windows()[-1].percent_of[1], abs=1)


def test_gaps_between_short_kernels_count() -> None:
    card = VirtualCard()
    run(card, [(card.open_context(1), 5 * US, 0.5)])
    assert card.windows()[-1].percent_of[1] > 60


@pytest.mark.parametrize(("bias_ratio", "percent"), [(0.9, 45), (1.1, 55)])
def test_a_biased_card_reads_it_wrong(bias_ratio: float, percent: int) -> None:
    card = VirtualCard(bias_ratio=bias_ratio)
    run(card, [(card.open_context(1), 1_400 * US, 0.5)])
    assert percent == pytest.approx(card.windows()[-1].percent_of[1], abs=1)


@pytest.mark.parametrize(
    ("loads", "percent"),
    [
        ([(100 * US, 0.2), (100 * US, 0.2)], 94),
        ([(100 * US, 0.2), (1_400 * US, 0.3), (11 * MS, 0.4)], 99),
        ([(1_400 * US, 0.3), (1_400 * US, 0.7)], 99),
    ],
)
def test_side_by_side_every_process_reads_nearly_all(
    loads: list[tuple[int, float]], percent: int
) -> None:
    card = VirtualCard()
    run(
        card,
        [
            (card.open_context(owner), length_ns, duty)
            for owner, (length_ns, duty) in enumerate(loads, 1)
        ],
    )
    expected = dict.fromkeys(range(1, len(loads) + 1), percent)
    assert expected == card.windows()[-1].percent_of


def test_a_process_that_ends_has_no_row_in_the_next_window() -> None:
    card = VirtualCard()
    context = card.open_context(1)
    card.launch(context, 10 * SECOND_NS)
    card.advance(WINDOW_NS)
    card.close_context(context)
    card.advance(2 * WINDOW_NS)
    assert [each.percent_of for each in card.windows()] == [{1: 99}, {}]
