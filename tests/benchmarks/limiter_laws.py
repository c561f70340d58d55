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
            yield _largest_error(f"limiter, alone, {setting.name} card: {law}", law, setting)
            yield _largest_contended_error(
                f"limiter, contended, {setting.name} card: {law}", law, setting
            )


def _contests(setting: Setting) -> Sequence[Contest]:
    return (*CONTESTS, FULL_CONTEST) if setting is KIND else CONTESTS


def _largest_error(what: str, law: str, setting: Setting) -> Measured:
    errors = [abs(share - limit) for limit in LIMITS for share in alone(law, setting, limit)]
    return _measured(what, law, max(errors))


def _largest_contended_error(what: str, law: str, setting: Setting) -> Measured:
    errors = [
        abs(share - limit)
        for contest in _contests(setting)
        for share, limit in zip(
            shares_of(law, setting, contest.tenants), contest.limits, strict=True
        )
    ]
    return _measured(what, law, max(errors))


def _measured(what: str, law: str, error: float) -> Measured:
    target = TARGET_POINTS if law == OURS else None
    return Measured(what=what, value=100 * error, unit="points", target=target)


def tables() -> Iterator[str]:
    """Yield the lines of the tables in ``docs/benchmarks.md``."""
    for setting in (KIND, MEASURED):
        yield from _table(
            f"Alone, {setting.name} card",
            [
                (f"{limit:.0%}".replace("%", " %"), [alone(law, setting, limit) for law in LAWS])
                for limit in LIMITS
            ],
        )
        yield from _table(
            f"Contended, {setting.name} card",
            [
                (contest.name, [shares_of(law, setting, contest.tenants) for law in LAWS])
                for contest in _contests(setting)
            ],
        )


def _table(title: str, rows: Sequence[tuple[str, Sequence[Sequence[float]]]]) -> Iterator[str]:
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
