"""Starting a loop as a process does: from its state, and from a history that is read beside it."""

from contextlib import nullcontext

from autoscaler.scaling.running.checkpoints import Checkpoints
from autoscaler.scaling.running.counts.tick_counts import TickCounts
from autoscaler.scaling.running.warming import Warming
from tests.components.processes import until


def checkpoints_of(loop, path):
    return Checkpoints(loop, path, TickCounts(), is_whole=lambda: True)


def start(loop, path, since_s, *, source, clock, views):
    """Make a loop know its history; return whether all of that stood in its state."""
    history = checkpoints_of(loop, path).begin(since_s, now_s=clock.now_s())
    if history is None:
        return True
    warming = Warming(history, lambda: nullcontext(source), clock, step_s=loop.settings.step_s)
    warming.see(views)
    warming.start()
    until(lambda: not warming.is_alive, what="the history is read")
    warmed = warming.result()
    loop.swap_usage(warmed.model, warmed.position)
    return False
