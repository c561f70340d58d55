"""What a process gets of a card, by the ledger of the card and by nothing that we measure."""

from __future__ import annotations

from tests.components.processes import until
from tests.fakes.gpu.cards import FakeCard

LOOK_NS = 1_000_000_000


def share_of(card: FakeCard, pid: int) -> float:
    """Return the share of the card's time that a process gets, over a while that begins now."""
    begin_ns, before = card.card_ledger().at_ns, card.ledger(pid)
    until(lambda: card.card_ledger().at_ns - begin_ns >= LOOK_NS, what="some time is over")
    end_ns, after = card.card_ledger().at_ns, card.ledger(pid)
    return (after.busy_ns - before.busy_ns) / (end_ns - begin_ns)
