"""How long and how much an experiment measures."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """One size of all experiments; a limit is percent of a card's time."""

    settle_s: float
    """Left out after a change."""
    window_s: float
    """Over which a rate is measured."""
    change_s: float
    """Of each limit, where the time to settle is measured."""
    limits_percent: tuple[int, ...]
    matrices: tuple[int, ...]
    """Rows of the square matrices that are multiplied."""
    pairs: int
    """With and without the limiter, one after the other."""
    pair_window_s: float
    vram_limit_bytes: int
    agent_away_s: float
    duties: tuple[float, ...]
    """Shares of the time that a process is busy while NVML is read."""
    duty_s: float
    time_limit_s: float
    """Of one experiment; one that hangs costs no more."""


SIZES = {
    "full": Sizes(
        settle_s=1.0,
        window_s=3.0,
        change_s=3.0,
        limits_percent=(10, 25, 50, 75),
        matrices=(4096, 8192, 16384),
        pairs=12,
        pair_window_s=0.7,
        vram_limit_bytes=20 * GIB,
        agent_away_s=30.0,
        duties=(0.1, 0.25, 0.5, 0.75, 0.9),
        duty_s=5.0,
        time_limit_s=150.0,
    ),
    "small": Sizes(
        settle_s=0.7,
        window_s=1.5,
        change_s=2.0,
        limits_percent=(25, 50),
        matrices=(4096, 8192),
        pairs=8,
        pair_window_s=0.4,
        vram_limit_bytes=4 * GIB,
        agent_away_s=5.0,
        duties=(0.25, 0.75),
        duty_s=3.0,
        time_limit_s=90.0,
    ),
    "smoke": Sizes(
        settle_s=0.1,
        window_s=0.3,
        change_s=0.6,
        limits_percent=(50,),
        matrices=(4096,),
        pairs=2,
        pair_window_s=0.15,
        vram_limit_bytes=2 * GIB,
        agent_away_s=0.5,
        duties=(0.5,),
        duty_s=1.0,
        time_limit_s=60.0,
    ),
}
