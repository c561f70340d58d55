"""What ``make bench`` measures of many workloads: one cache of them, and writing their status.

The times are those of the clock, because waiting for the server is most of them; the client and the
server share the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.benchmarks.own_process import answer_of, best_of
from tests.benchmarks.targets import Measured
from tests.cluster.control_plane import ControlPlane

MB, MS = 1e6, 1e3
SYNCED_S, PROCESS_MB = 4.0, 200.0
"""For 10,000 workloads."""


def kubernetes_cache(
    plane: ControlPlane, workloads: int, changes: int, rounds: int
) -> Iterator[Measured]:
    """List and watch so many workloads, then follow changes; and list them as the stock client.

    Both in turn, some rounds; the best counts.
    """
    kubeconfig = plane.admin_kubeconfig
    runs = [
        (
            answer_of("tests.benchmarks.stock_listing", kubeconfig),
            answer_of("tests.benchmarks.caching", kubeconfig, changes),
        )
        for _ in range(rounds)
    ]
    for stock, ours in runs:
        if stock["objects"] != workloads:
            raise AssertionError(f"the stock client does not list {workloads} workloads: {stock}")
        if ours["objects"] != workloads or ours["relists"] or ours["failures"]:
            raise AssertionError(f"the cache does not hold {workloads} workloads: {ours}")
    stock, ours = (best_of(list(each)) for each in zip(*runs, strict=True))
    yield from cache_rows(workloads, changes, ours)
    yield from stock_rows(workloads, ours, stock)


def cache_rows(workloads: int, changes: int, ours: dict[str, Any]) -> Iterator[Measured]:
    name = f"cache of {workloads} workloads"
    yield Measured(what=f"{name}: synced", value=ours["wall_s"], unit="s", target=SYNCED_S)
    yield Measured(what="  of it: CPU of the client", value=ours["cpu_s"], unit="s")
    process_mb = ours["process_bytes"] / MB
    yield Measured(
        what="  peak memory of the process", value=process_mb, unit="MB", target=PROCESS_MB
    )
    yield Measured(what="    of it: since its start", value=ours["grown_bytes"] / MB, unit="MB")
    for share in ("p50", "p99"):
        what = f"{changes} changes seen after their writes, {share}"
        yield Measured(what=what, value=ours["delays"][f"{share}_s"] * MS, unit="ms")


def stock_rows(workloads: int, ours: dict[str, Any], stock: dict[str, Any]) -> Iterator[Measured]:
    yield Measured(
        what=f"{workloads} workloads listed by the stock client", value=stock["wall_s"], unit="s"
    )
    yield Measured(what="  of it: CPU of the client", value=stock["cpu_s"], unit="s")
    yield Measured(what="  memory since its start", value=stock["grown_bytes"] / MB, unit="MB")
    for what, key in (("times", "wall_s"), ("CPU times", "cpu_s"), ("memory", "grown_bytes")):
        value = ours[key] / stock[key]
        yield Measured(what=f"  ratio of {what}, ours to stock", value=value, unit="x")


def status_writes(plane: ControlPlane, writes: int) -> Iterator[Measured]:
    """Write the status of so many workloads, all waiting at once, under the usual budget."""
    answer = answer_of("tests.benchmarks.status_writing", plane.admin_kubeconfig, writes)
    if answer["writes"] != writes:
        raise AssertionError(f"not all of {writes} statuses were written: {answer}")
    allowed = f"a budget of {answer['configured_per_s']:g}/s"
    value = writes / answer["wall_s"]
    yield Measured(what=f"{writes} statuses written, {allowed}", value=value, unit="/s")
    for share in ("p50", "p99"):
        what = f"  one write, {share}"
        yield Measured(what=what, value=answer[f"{share}_s"] * MS, unit="ms")
    yield Measured(what="  allowed at the end", value=answer["rate_per_s"], unit="/s")
    yield Measured(what="  refused by the API server", value=answer["throttled"], unit="")
