"""How exactly real processes get their shares: judged by the fake card's own ledger.

Programs launch kernels under the limiter as it is shipped, the agent shares the card as on a node,
and time is real; the same laws in virtual time are ``limiter_laws``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.enforcement.host import PERCENT, Host
from tests.benchmarks.enforcement.trials import (
    KERNEL_NS,
    MEASURED,
    TARGET_POINTS,
    Tenant,
    Trial,
    alone,
    contests,
    mixes,
    qos_burst,
    tenant_of,
)
from tests.benchmarks.targets import Measured
from tests.fakes.gpu.cards import CardTraits, FakeCards
from tests.fakes.gpu.programs import RunningProgram

SETTLED_POINTS, STEP_S, MEAN_STEPS = 2.0, 0.02, 25
LIVE_PERCENT = (20.0, 60.0, 30.0)
"""Of a live limit, one after the other."""
NEXT_PERCENT = 50.0
"""Stated while no agent runs; in force when one runs again."""
NEVER_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareSizes:
    """How much is measured."""

    settle_s: float = 2.0
    window_s: float = 4.0
    limits_percent: Sequence[float] = (10.0, 25.0, 50.0, 75.0)
    change_s: float = 3.0
    """Of each live limit."""


def real_shares(sizes: ShareSizes) -> Iterator[Measured]:
    """Yield the distance from what is wanted, in points of the card, of each trial."""
    trials = (*alone(sizes.limits_percent), *mixes(), *contests(), qos_burst())
    for card, of_card in groupby(trials, key=lambda trial: trial.card):
        with _host(card) as host:
            host.state([])
            host.start_agent()
            for trial in of_card:
                yield from trial_rows(host, trial, sizes)
    with _host(MEASURED) as host:
        yield from live_rows(host, sizes)


def trial_rows(host: Host, trial: Trial, sizes: ShareSizes) -> Iterator[Measured]:
    """Yield how far the shares of a trial are from what is wanted, and the shares."""
    workers = [tenant.worker for tenant in trial.tenants]
    host.state(workers)
    host.wait_for_pages(workers)
    with ExitStack() as running:
        programs = [running.enter_context(_started(host, tenant)) for tenant in trial.tenants]
        time.sleep(sizes.settle_s)
        shares = shares_percent(host.cards, programs, sizes.window_s)
    errors = [
        abs(share - tenant.wanted_percent)
        for share, tenant in zip(shares, trial.tenants, strict=True)
    ]
    yield Measured(
        what=f"missed: {trial.name}",
        value=max(errors),
        unit="points",
        target=TARGET_POINTS,
    )
    for share, tenant in zip(shares, trial.tenants, strict=True):
        wanted = f"{tenant.worker.name}, wanted {tenant.wanted_percent:.4g} %"
        yield Measured(what=f"  {wanted}", value=share, unit="%")


def live_rows(host: Host, sizes: ShareSizes) -> Iterator[Measured]:
    """Yield how soon another limit is met, and whether shares stay when the agent is killed."""
    tenant = tenant_of("live", LIVE_PERCENT[0], KERNEL_NS)
    worker = tenant.worker
    host.state([worker])
    host.start_agent()
    host.wait_for_pages([worker])
    with _started(host, tenant) as program:
        time.sleep(sizes.settle_s)
        for before, percent in pairwise(LIVE_PERCENT):
            host.state([worker.limited_to(percent)])
            settled_s = settling_s(host.cards, program, percent, sizes.change_s)
            what = f"live limit, {before:g} to {percent:g} %: until it is met"
            yield Measured(what=what, value=settled_s, unit="s")
        host.kill_agent()
        host.state([worker.limited_to(NEXT_PERCENT)])
        yield from _missed("no agent runs", host, program, LIVE_PERCENT[-1], sizes)
        host.start_agent()
        time.sleep(sizes.settle_s)
        yield from _missed("an agent runs again", host, program, NEXT_PERCENT, sizes)


def _missed(
    what: str, host: Host, program: RunningProgram, wanted_percent: float, sizes: ShareSizes
) -> Iterator[Measured]:
    [share] = shares_percent(host.cards, [program], sizes.window_s)
    error = abs(share - wanted_percent)
    yield Measured(what=f"missed: {what}", value=error, unit="points", target=TARGET_POINTS)
    yield Measured(what=f"  its share, wanted {wanted_percent:g} %", value=share, unit="%")


def shares_percent(
    cards: FakeCards, programs: Sequence[RunningProgram], window_s: float
) -> list[float]:
    """Return what each program gets of the first card within a window."""
    before = [_busy(cards, program) for program in programs]
    time.sleep(window_s)
    after = [_busy(cards, program) for program in programs]
    return [
        PERCENT * (until[1] - since[1]) / (until[0] - since[0])
        for since, until in zip(before, after, strict=True)
    ]


def settling_s(
    cards: FakeCards, program: RunningProgram, wanted_percent: float, span_s: float
) -> float:
    """Return after how long a program's share is near what is wanted.

    The share at a time is the mean of the ``MEAN_STEPS`` that follow, so that the wait for the mean
    itself does not count.  The whole span where it is not met.
    """
    marks = [_busy(cards, program)]
    begin_ns = marks[0][0]
    while marks[-1][0] - begin_ns < span_s * 1e9:
        time.sleep(STEP_S)
        marks.append(_busy(cards, program))
    for since, until in zip(marks, marks[MEAN_STEPS:], strict=False):
        share = PERCENT * (until[1] - since[1]) / (until[0] - since[0])
        if abs(share - wanted_percent) <= SETTLED_POINTS:
            return (since[0] - begin_ns) / 1e9
    return span_s


def _busy(cards: FakeCards, program: RunningProgram) -> tuple[int, int]:
    """Return a time of the card, and what a program has had of it until then, in ns."""
    card = cards.cards[0]
    return card.card_ledger().at_ns, card.ledger(program.pid).busy_ns


def _started(host: Host, tenant: Tenant) -> RunningProgram:
    lengths = ",".join(map(str, tenant.kernels_ns))
    shapes = "one" if tenant.has_one_shape else "many"
    words = ("--kernel-ns", lengths, "--shapes", shapes, "--report-ms", NEVER_MS)
    program = host.load(tenant.worker, *words)
    program.answer()
    return program


@contextmanager
def _host(card: CardTraits) -> Iterator[Host]:
    with TemporaryDirectory() as name, Host(Path(name), card) as host:
        yield host
