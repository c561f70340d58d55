"""What held at every moment of a live cluster, whatever happened in it."""

from __future__ import annotations

from itertools import pairwise

from tests.cluster.live_ledger import Ledger, said_by, turn_of
from tests.cluster.live_world import LiveWorld


def assert_laws(world: LiveWorld, ledger: Ledger) -> None:
    """See that all laws held all the time."""
    vram_was_never_taken_away(world, ledger)
    no_request_was_above_its_limit(ledger)
    statements_came_in_order(ledger)


def vram_was_never_taken_away(world: LiveWorld, ledger: Ledger) -> None:
    """See that VRAM in force is never below what is in use, nor lowered while a worker runs."""
    over = world.prometheus.values("max(max_over_time(tf_worker_memory_over_limit_bytes[1h]))")
    assert [value for _, value in over] == [0.0]
    for worker, seen in ledger.all_amounts.items():
        limits_gib = [has[3] for has in seen]
        assert limits_gib == sorted(limits_gib), worker


def no_request_was_above_its_limit(ledger: Ledger) -> None:
    """See that a request is never above its limit, of TFLOPS and of VRAM."""
    for worker, seen in ledger.all_amounts.items():
        for tflops_request, tflops_limit, vram_request, vram_limit in seen:
            assert tflops_request <= tflops_limit, worker
            assert vram_request <= vram_limit, worker


def statements_came_in_order(ledger: Ledger) -> None:
    """See that each statement is newer than the one before it and says something else."""
    for workload, stated in ledger.statements.items():
        turns = [turn_of(each) for each in stated]
        assert turns == sorted(set(turns)), workload
        for one, other in pairwise(stated):
            assert said_by(one) != said_by(other), workload
