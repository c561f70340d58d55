"""What ``make bench`` measures of usage from a real Prometheus.

The times are those of the clock, because waiting for the server is a good part of them; the client
and the server share the machine.  Each number is the best of some rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.own_process import answer_of, best_of
from tests.benchmarks.server_data import ALL_METRICS, Fleet, serving
from tests.benchmarks.targets import Measured
from tests.components.histories import DAY_S, HOUR_S, START_S
from tests.components.worker_metrics import TFLOPS

MIB = 2.0**20
MINUTE_S = 60
TIME_RATIO, MEMORY_RATIO = 0.3, 0.15
"""Of our source to the stock client."""
INCREMENT_S = 0.05
FIVE_MINUTES_S, TICK_S = 300, 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The fleets that are measured, and how often."""

    minutes: Fleet
    """Scraped once a minute: read with our source and with the stock client."""
    scrapes: Fleet
    """Scraped every 15 s: collected into a usage model, then increments."""
    large: Fleet
    """The same, with ten times the workers."""
    rounds: int


SHORT = Sizes(
    minutes=Fleet(name="minutes", workloads=50, step_s=60, history_s=4 * DAY_S, metrics=(TFLOPS,)),
    scrapes=Fleet(
        name="scrapes", workloads=50, step_s=15, history_s=12 * HOUR_S, later_s=2 * HOUR_S
    ),
    large=Fleet(name="large", workloads=500, step_s=15, history_s=2 * HOUR_S, later_s=600),
    rounds=2,
)
FULL = Sizes(
    minutes=Fleet(name="minutes", workloads=50, step_s=60, history_s=14 * DAY_S),
    scrapes=Fleet(
        name="scrapes", workloads=50, step_s=15, history_s=24 * HOUR_S, later_s=2 * HOUR_S
    ),
    large=SHORT.large,
    rounds=2,
)


def usage_from_prometheus(sizes: Sizes, cache: Path) -> Iterator[Measured]:
    """Read and collect; ``cache`` keeps what servers are filled with.

    Raises ``ProgramMissingError`` where Prometheus is not built.
    """
    with serving(sizes.minutes, cache) as url:
        yield from _one_metric(sizes, url)
        if sizes.minutes.metrics == ALL_METRICS:
            yield from _collected(sizes.minutes, url, sizes.rounds)
    with serving(sizes.scrapes, cache) as url:
        yield from _collected(sizes.scrapes, url, sizes.rounds, TICK_S, FIVE_MINUTES_S)
    with serving(sizes.large, cache) as url:
        yield from _collected(sizes.large, url, sizes.rounds, TICK_S)


def _one_metric(sizes: Sizes, url: str) -> Iterator[Measured]:
    fleet = sizes.minutes
    stock, ours = (
        best_of(
            [
                answer_of(
                    "tests.benchmarks.reading", client, url, START_S, fleet.history_end_s, MINUTE_S
                )
                for _ in range(sizes.rounds)
            ]
        )
        for client in ("stock", "source")
    )
    _assert_same(stock, ours)
    million = ours["points"] / 1e6
    name = f"one metric, {_described(fleet)}"
    for client, run in ((f"{name}: stock client", stock), ("  source", ours)):
        yield Measured(what=client, value=run["wall_s"], unit="s")
        yield Measured(what="    of it: CPU of the client", value=run["cpu_s"], unit="s")
        yield Measured(what="    per million points", value=run["wall_s"] / million, unit="s")
        yield Measured(what="    its memory", value=run["grown_bytes"] / MIB, unit="MiB")
    yield _ratio("  ratio of times", ours["wall_s"] / stock["wall_s"], TIME_RATIO)
    yield _ratio("  ratio of CPU times of the clients", ours["cpu_s"] / stock["cpu_s"])
    memory = ours["grown_bytes"] / stock["grown_bytes"]
    yield _ratio("  ratio of memory", memory, MEMORY_RATIO)


def _assert_same(stock: dict[str, Any], ours: dict[str, Any]) -> None:
    """See that both clients have read the same, the one in float64, the other in float32."""
    if stock["points"] != ours["points"] or abs(stock["sum"] - ours["sum"]) > 1e-6 * stock["sum"]:
        raise ValueError(f"the clients have read different samples: stock {stock}, source {ours}")


def _collected(fleet: Fleet, url: str, rounds: int, *every_s: int) -> Iterator[Measured]:
    """Measure the bootstrap of a usage model, and increments of these lengths after it."""
    arguments = (url, START_S, fleet.history_end_s, fleet.later_s, *every_s)
    runs = [answer_of("tests.benchmarks.collecting", *arguments) for _ in range(rounds)]
    best = best_of(runs)
    million = len(fleet.metrics) * fleet.samples(fleet.history_s) / 1e6
    name = f"usage model, {len(fleet.metrics)} metrics, {_described(fleet)}"
    yield Measured(what=f"{name}: bootstrap", value=best["wall_s"], unit="s")
    yield Measured(what="  of it: CPU of the client", value=best["cpu_s"], unit="s")
    yield Measured(what="  its memory", value=best["grown_bytes"] / MIB, unit="MiB")
    per_million = best["wall_s"] / million
    yield Measured(what="  per million samples of the server", value=per_million, unit="s")
    memory = best["grown_bytes"] / MIB / million
    yield Measured(what="  its memory per million", value=memory, unit="MiB")
    held = best["held"]
    yield Measured(what="  model, in all", value=held["all_bytes"] / MIB, unit="MiB")
    yield Measured(what="  model, a workload", value=held["workload_bytes"] / 1024, unit="KiB")
    yield Measured(what="  model, a worker", value=held["worker_bytes"] / 1024, unit="KiB")
    for number, length_s in enumerate(every_s):
        increments = [run["increments"][number] for run in runs]
        yield from _increment(fleet, length_s, increments)


def _increment(
    fleet: Fleet, length_s: int, increments: list[dict[str, float]]
) -> Iterator[Measured]:
    has_target = length_s == FIVE_MINUTES_S
    lines = {
        "one metric": "one_metric_s",
        f"{len(fleet.metrics)} metrics": "all_metrics_s",
        "collected into the model": "collected_s",
        "  of it: CPU of the client": "collected_cpu_s",
    }
    name = f"  increment of {length_s} s, {fleet.workers} workers"
    for line, key in lines.items():
        value = min(increment[key] for increment in increments)
        is_timed = not line.startswith(" ")
        yield Measured(
            what=f"{name}, {line}" if is_timed else f"  {line}",
            value=1000 * value,
            unit="ms",
            target=1000 * INCREMENT_S if has_target and line == "one metric" else None,
        )


def _described(fleet: Fleet) -> str:
    hours = fleet.history_s / HOUR_S
    length = f"{hours / 24:g} d" if hours >= 24 else f"{hours:g} h"
    return f"{fleet.workers} workers x {length}, every {fleet.step_s} s"


def _ratio(what: str, value: float, target: float | None = None) -> Measured:
    return Measured(what=what, value=value, unit="x", target=target)
