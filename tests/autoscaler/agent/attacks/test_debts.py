"""What a tenant gains by writing the arrival time (TAT) that its limiter pays with.

The law is the limiter's own C; a kernel of 10 ms follows the other as soon as the law lets it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from autoscaler.agent.accounting.debt_check import WINDOW_S, DebtCheck
from autoscaler.agent.accounting.finding import SUSTAINED_S
from autoscaler.agent.pages.abi import UseGPU
from autoscaler.agent.pages.use_reading import GPUUse
from tests.autoscaler.agent.native.metering import MS, library, terms

SHARE = 0.2
KERNEL_NS = 10 * MS
SECOND_NS = 1000 * MS
LOOK_NS = 200 * MS
START_NS = 1000 * SECOND_NS
FAR_NS = 2**64 - 1


@dataclass
class Forger:
    """One process that launches all the time, and writes its page before and after each launch."""

    before: Callable[[UseGPU, int], None] = lambda gpu, now_ns: None
    after: Callable[[UseGPU, int], None] = lambda gpu, now_ns: None
    now_ns: int = START_NS
    gpu: UseGPU = field(default_factory=UseGPU)
    check: DebtCheck = field(default_factory=DebtCheck)
    unpaid: list[tuple[float, float]] = field(default_factory=list)
    """Seconds from the start, and what was found unpaid then."""

    def run(self, seconds: float) -> float:
        """Return the part of the time that the GPU worked."""
        began_ns, worked_ns = self.now_ns, 0
        while self.now_ns < began_ns + seconds * SECOND_NS:
            self.launch()
            worked_ns += KERNEL_NS
        return worked_ns / (self.now_ns - began_ns)

    def launch(self) -> None:
        law = terms(SHARE)
        self.before(self.gpu, self.now_ns)
        turn = library().tf_law_charge(self.gpu, law, KERNEL_NS, self.now_ns)
        free_at_ns = library().tf_law_free_at(self.gpu, law, turn, self.now_ns)
        self.after(self.gpu, self.now_ns)
        self._pass(max(free_at_ns - self.now_ns, 0) + KERNEL_NS)
        self.gpu.charged_ns += KERNEL_NS
        self.gpu.launches += 1

    def _pass(self, time_ns: int) -> None:
        """Let time pass; the agent looks five times in a second."""
        until_ns = self.now_ns + time_ns
        for look in range(self.now_ns // LOOK_NS + 1, until_ns // LOOK_NS + 1):
            unpaid_s = self.check.observe(_seen(self.gpu), look * LOOK_NS, SHARE, 1.0)
            self.unpaid.append(((look * LOOK_NS - START_NS) / SECOND_NS, unpaid_s))
        self.now_ns = until_ns

    def sustained_after_s(self) -> float:
        """Return from when on it was found unpaid for as long as findings must last."""
        since_s = None
        for at_s, unpaid_s in self.unpaid:
            since_s = (at_s if since_s is None else since_s) if unpaid_s > 0 else None
            if since_s is not None and at_s - since_s >= SUSTAINED_S:
                return at_s
        return float("inf")


def _seen(gpu: UseGPU) -> GPUUse:
    return GPUUse(**{name: getattr(gpu, name) for name in GPUUse._fields})


def reset(gpu: UseGPU, now_ns: int) -> None:
    gpu.tat_ns = 0


def owe_nothing(gpu: UseGPU, now_ns: int) -> None:
    """Say that the debt was made under next to no share: the law rescales it to nothing."""
    gpu.tat_share_q32 = 1


def show_far(gpu: UseGPU, now_ns: int) -> None:
    gpu.tat_ns = FAR_NS


def show_longest_debt(gpu: UseGPU, now_ns: int) -> None:
    gpu.tat_ns = now_ns + 60 * SECOND_NS


def show_paid(gpu: UseGPU, now_ns: int) -> None:
    """Show the time that an honest worker would have come to."""
    gpu.tat_ns = START_NS + int(gpu.charged_ns / SHARE)


def test_an_honest_worker_gets_its_share_and_is_not_suspected():
    honest = Forger()

    assert honest.run(10.0) == pytest.approx(SHARE, abs=0.01)
    assert {unpaid_s for _, unpaid_s in honest.unpaid} == {0.0}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (reset, lambda gpu, now_ns: None),
        (owe_nothing, lambda gpu, now_ns: None),
        (reset, show_far),
        (reset, show_longest_debt),
    ],
    ids=["reset", "share of then", "reset, far ahead for the agent", "reset, longest debt"],
)
def test_who_resets_its_debt_has_no_limit_and_is_found_in_seconds(before, after):
    forger = Forger(before=before, after=after)

    assert forger.run(10.0) > 3 * SHARE
    # Some launches to begin with, a whole window, and as long as findings must last.
    assert forger.sustained_after_s() <= 2 * WINDOW_S + SUSTAINED_S + 0.4


def test_who_shows_the_debt_that_it_should_have_is_found_when_no_debt_can_be_so_large():
    forger = Forger(before=reset, after=show_paid)

    assert forger.run(30.0) > 0.9
    # At a fifth of the card four seconds are owed more each second: a minute's debt in 15 s.
    assert 10.0 < forger.sustained_after_s() < 25.0


def test_a_debt_that_is_forged_holds_its_own_worker_for_a_minute_at_most():
    forger = Forger()
    forger.run(1.0)
    forger.gpu.tat_ns = FAR_NS
    forged_ns = forger.now_ns
    forger.launch()

    assert forger.now_ns - forged_ns <= 60 * SECOND_NS + KERNEL_NS
    assert forger.run(10.0) == pytest.approx(SHARE, abs=0.01)


def test_the_record_of_a_neighbour_is_another_one():
    forger, honest = Forger(before=reset), Forger()

    assert forger.run(5.0) > 0.9
    assert honest.run(5.0) == pytest.approx(SHARE, abs=0.01)
    assert {unpaid_s for _, unpaid_s in honest.unpaid} == {0.0}
