"""``python -m tests.benchmarks limiter``: how exactly shares are met, in virtual time.

The limiter's own code and the agent's own sharing run beside the laws of TensorFusion and HAMi over
the same simulated card, so the numbers are the same on every machine.  Run as a program, this
module prints the tables of ``docs/benchmarks.md``; what launches cost is not measured here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from tests.autoscaler.agent.simulator.comparison import (
    CONTESTS,
    FULL_CONTEST,
    KIND,
    LAWS,
    LIMITS,
    LONG_CONTESTS,
    MEASURED,
    OURS,
    Contest,
    Setting,
    alone,
    shares_of,
)
from tests.benchmarks.targets import Measured

TARGET_POINTS = 1.0


def limiter_shares() -> Iterator[Measured]:
    """Yield the largest distance between limit and share, in points of the card, of each law."""
    for setting in (KIND, MEASURED):
        for law in LAWS:
            name = f"{law}, {setting.name} card"
            target = TARGET_POINTS if law == OURS else None
            alone_error = max(
                abs(share - limit) for limit in LIMITS for share in alone(law, setting, limit)
            )
            yield _measured(f"limit missed alone: {name}", alone_error, target)
            contended = _largest_error(law, setting, _contests(setting))
            yield _measured(f"limit missed beside others: {name}", contended, target)
            long = _largest_error(law, setting, LONG_CONTESTS)
            yield _measured(f"the same with kernels of 11 ms: {name}", long, None)


def _contests(setting: Setting) -> Sequence[Contest]:
    return (*CONTESTS, FULL_CONTEST) if setting is KIND else CONTESTS


def _largest_error(law: str, setting: Setting, contests: Sequence[Contest]) -> float:
    return max(
        abs(share - limit)
        for contest in contests
        for share, limit in zip(
            shares_of(law, setting, contest.tenants), contest.limits, strict=True
        )
    )


def _measured(what: str, error: float, target: float | None) -> Measured:
    return Measured(what=what, value=100 * error, unit="points", target=target)


def tables() -> Iterator[str]:
    """Yield the lines of the tables in ``docs/benchmarks.md``."""
    for setting in (KIND, MEASURED):
        yield from as_table(
            f"Alone, {setting.name} card",
            [
                (f"{100 * limit:.0f} %", [alone(law, setting, limit) for law in LAWS])
                for limit in LIMITS
            ],
        )
        yield from as_table(
            f"Contended, {setting.name} card",
            [
                (contest.name, [shares_of(law, setting, contest.tenants) for law in LAWS])
                for contest in (*_contests(setting), *LONG_CONTESTS)
            ],
        )


def as_table(title: str, rows: Sequence[tuple[str, Sequence[Sequence[float]]]]) -> Iterator[str]:
    """Yield one table in Markdown; ``rows`` are names and, by law, shares from 0 to 1."""
    yield f"**{title}**"
    yield ""
    yield f"| limit | {' | '.join(LAWS)} |"
    yield f"|---|{'---|' * len(LAWS)}"
    for name, cells in rows:
        texts = [" / ".join(f"{100 * share:.1f}" for share in cell) for cell in cells]
        yield f"| {name} | {' | '.join(texts)} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in tables())
